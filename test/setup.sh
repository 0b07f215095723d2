#!/bin/sh
# Makes a Debian machine ready for a target of the Makefile: installs with apt what is lacking, or says what is missing
# and how to get it. Usage: test/setup.sh demo|test|vm|oci|bench
#
# Only programs are installed. No service is installed or started on the host: what the tests serve with (redis-server)
# goes into a tree of its own.
set -eu

case "${1:-}" in
demo)  wanted="ca-certificates" ;; # For go, when it fetches the modules.
test)  wanted="ca-certificates busybox-static procps uidmap mmdebstrap redis-tools util-linux gcc libc6-dev libseccomp-dev python3 strace groff-base runc" ;;
vm)    wanted="ca-certificates busybox-static mmdebstrap e2fsprogs qemu-system-x86" ;;
oci)   wanted="ca-certificates tar gzip" ;;
bench) wanted="ca-certificates busybox-static runc crun bubblewrap util-linux gcc libc6-dev" ;;
*)     echo "usage: test/setup.sh demo|test|vm|oci|bench" >&2; exit 2 ;;
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
	[ "$1" = demo ] # What the demonstration wants it may do without, if go has the modules already.
	exit
fi

echo "setup: installing$lacking"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # A list of package names.
apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends $lacking >/dev/null
