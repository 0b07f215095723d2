#!/bin/sh
# Runs the demonstration with Go caches that this user can write to: a plain user may have no home directory, or a cache
# that belongs to root.
set -eu
cd "$(dirname "$0")/.."

test/setup.sh demo

scratch=$(mktemp -d "${TMPDIR:-/tmp}/handfast-demo-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM PIPE # by a signal that is not caught, dash ends without the trap above

# usable DIR: succeeds if this user can create files in DIR; creates DIR if it is missing.
usable() {
	[ -n "$1" ] && mkdir -p "$1" 2>/dev/null && [ -w "$1" ]
}

export HOME="${HOME:-$scratch}"
usable "$(go env GOCACHE 2>/dev/null)" || export GOCACHE="$scratch/build"
usable "$(go env GOMODCACHE 2>/dev/null)" || export GOMODCACHE="$scratch/modules" GOFLAGS="${GOFLAGS:-} -modcacherw"
export TMPDIR="$scratch" CGO_ENABLED=0

go run -buildvcs=false ./internal/demo "$@"
