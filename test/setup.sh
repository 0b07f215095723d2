#!/bin/sh
# Prepares a Debian machine for a target of the Makefile: installs missing packages with apt, or says which are missing
# and how to install them. Usage: test/setup.sh demo|test|vm|vm-arm64|oci|clients|clients-29|bats|bench|dist|cross
#
# Only programs are installed, and no service is started on the host: while packages are installed, for whatever target, a
# policy-rc.d forbids to start theirs, unless the host has one already; and the tests' redis-server is in a tree of its own.
set -eu

clients="ca-certificates busybox-static procps runc containerd podman docker.io buildah umoci skopeo catatonit uidmap bsdutils openssl"
vm="ca-certificates busybox-static mmdebstrap kmod e2fsprogs qemu-system-x86"
case "${1:-}" in
demo)  wanted="ca-certificates" ;; # For go, to download modules.
test)  wanted="ca-certificates busybox-static procps uidmap mmdebstrap redis-tools util-linux gcc libc6-dev libseccomp-dev python3 strace groff-base runc criu" ;;
vm)    wanted="$vm" ;;
vm-arm64) wanted="$vm qemu-system-arm" ;; # For the boot arm64, alone or among others.
oci)   wanted="ca-certificates tar gzip" ;;
bats)  wanted="ca-certificates bats jq gawk iproute2 busybox-static mmdebstrap procps uidmap util-linux gcc libc6-dev libseccomp-dev pkg-config criu" ;;
clients) wanted="$clients" ;;
clients-29) wanted="$clients gcc libc6-dev libseccomp-dev" ;; # For the runc that docker-29 is compared with.
bench) wanted="ca-certificates busybox-static runc crun bubblewrap util-linux gcc libc6-dev" ;;
dist)  wanted="ca-certificates git make dpkg lintian mmdebstrap qemu-user-static" ;;
cross) wanted="ca-certificates qemu-user-static" ;;
*)     echo "usage: test/setup.sh demo|test|vm|vm-arm64|oci|clients|clients-29|bats|bench|dist|cross" >&2; exit 2 ;;
esac

if ! command -v go >/dev/null; then
	echo "setup: there is no go on the PATH: install Go 1.26 or newer from https://go.dev/dl" >&2
	exit 1
fi

if ! command -v dpkg-query >/dev/null; then
	echo "setup: not a Debian machine, so nothing is installed; the tests need what Debian has in: $wanted" >&2
	exit 0
fi

lacking=""
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || lacking="$lacking $package"
done
[ -n "$lacking" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "setup: missing:$lacking" >&2
	echo "setup: as root: apt-get update && apt-get install --no-install-recommends$lacking" >&2
	[ "$1" = demo ] # The demonstration works without, if go has the modules.
	exit
fi

echo "setup: installing$lacking"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d # asked by the packages' scripts (invoke-rc.d(8)); 101 forbids the start
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 130' HUP INT TERM PIPE # by a signal that is not caught, dash ends without the trap above
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends $lacking >/dev/null
