#!/bin/sh
# Builds the programs of a release into dist/, each twice, in two new clones at different paths with caches of their own,
# and fails if the two differ. Usage: test/release.sh [ARCH...]
#
# It builds the commit that is checked out, not the files in the tree. See docs/release.md.
set -eu
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- amd64 arm64 386 arm ppc64le riscv64 s390x loong64

commit=$(git rev-parse HEAD)
version=$(git describe --tags --match 'v[0-9]*' --exact-match 2>/dev/null || echo untagged)
source=$PWD
scratch=$(mktemp -d "${TMPDIR:-/tmp}/handfast-release-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# build DIR ARCH...: clones the commit into DIR, which must not exist, and builds there for each architecture.
build() {
	dir=$1
	shift
	git clone -q "$source" "$dir"
	git -C "$dir" checkout -q "$commit"
	for arch; do
		GOARCH=$arch GOCACHE="$dir.cache" make -s -C "$dir" build
		mv "$dir/bin/handfast" "$dir/bin/handfast.$arch"
	done
}

build "$scratch/first" "$@"
build "$scratch/a-second-place/of-another-length" "$@"

rm -rf dist
mkdir dist
for arch; do
	cmp "$scratch/first/bin/handfast.$arch" "$scratch/a-second-place/of-another-length/bin/handfast.$arch"
	cp "$scratch/first/bin/handfast.$arch" dist/
done
(cd dist && sha256sum handfast.* >SHA256SUMS)
echo "dist/ holds $version, commit $commit, built twice with the same result:"
cat dist/SHA256SUMS
