package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// modules are the modules that the kernel needs for the disks, in the order of their dependencies. ext4 is built
// in.
var modules = []string{
	"drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_legacy_dev",
	"drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci", "drivers/block/virtio_blk",
}

// firstScript is the initramfs's /init: it loads the modules, mounts the disks and executes the real process 1. The
// names of the disks follow their order on qemu's command line. Left open are the last disk's name, and the line that
// mounts the third, if there is one.
const firstScript = `#!/bin/busybox sh
set -e
/bin/busybox mkdir -p /proc /dev /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs -o mode=0755,nosuid devtmpfs /dev
for m in /modules/*; do /bin/busybox insmod "$m"; done
tries=0
while [ ! -b /dev/%[1]s ]; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { echo "initramfs: the disks did not appear"; exit 1; }
	/bin/busybox usleep 50000
done
/bin/busybox mount -t ext4 /dev/vda /root
/bin/busybox mount -t ext4 -o ro /dev/vdb /root/payload
%[2]sfor word in $(/bin/busybox cat /proc/cmdline); do
	case "$word" in handfast.init=*) init=${word#*=};; esac
done
/bin/busybox umount /proc
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root "$init"
`

// entry is one file of a cpio archive.
type entry struct {
	name string
	mode uint32 // type and permissions, as in inode(7)
	data []byte
}

const (
	directory  = 0o040755
	executable = 0o100755
	regular    = 0o100644
)

// cpio returns the archive that the kernel unpacks (the "newc" format of
// Documentation/driver-api/early-userspace/buffer-format.rst).
func cpio(entries []entry) []byte {
	var b bytes.Buffer
	for i, e := range append(entries, entry{name: "TRAILER!!!"}) {
		links := 1
		// inode, mode, uid, gid, links, mtime, size, device, device that a node stands for, length of the name,
		// checksum
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", i+1, e.mode, 0, 0, links, 0,
			len(e.data), 0, 0, 0, 0, len(e.name)+1, 0)
		b.WriteString(e.name + "\x00")
		pad(&b)
		b.Write(e.data)
		pad(&b)
	}
	return b.Bytes()
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

// initramfs builds the initial file system from the kernel's module tree and a static busybox. service is where the
// third disk is mounted, or empty if there is none.
func initramfs(moduleDir, busybox, service string) ([]byte, error) {
	shell, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	last, mount := "vdb", ""
	if service != "" {
		last, mount = "vdc", "/bin/busybox mount -t ext4 -o ro /dev/vdc /root"+service+"\n"
	}
	entries := []entry{
		{"bin", directory, nil}, {"modules", directory, nil}, {"dev", directory, nil},
		{"bin/busybox", executable, shell},
		{"init", executable, fmt.Appendf(nil, firstScript, last, mount)},
	}
	for i, m := range modules {
		found, err := filepath.Glob(filepath.Join(moduleDir, "kernel", m+".ko*")) // may be compressed
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("the kernel's package has no module %s in %s", m, moduleDir)
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("modules/%02d-%s", i, strings.TrimPrefix(filepath.Base(found[0]), "/"))
		entries = append(entries, entry{name, regular, data})
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(cpio(entries)); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
