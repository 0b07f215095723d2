package nsinit

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

func TestBindAttrs(t *testing.T) {
	const (
		ro, nosuid, nodev, noexec = unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NODEV,
			unix.MOUNT_ATTR_NOEXEC
		symlinks, times = unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR__ATIME
		nodir, noatime  = unix.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NOATIME
	)
	for _, c := range []struct {
		m          container.Mount
		set, clear uint64
		have       uint64
		refused    string
	}{
		{container.Mount{}, 0, 0, ro, ""},
		{container.Mount{Set: ro | noexec}, ro | noexec, nosuid | nodev | symlinks, nosuid | noatime, ""},
		{container.Mount{Clear: ro}, 0, ro, ro | nosuid, "ro"},
		{container.Mount{Clear: ro | nodev}, 0, ro | nodev, nodev, "nodev"},
		{container.Mount{Set: ro, Clear: nosuid | noexec}, ro, nosuid | noexec | nodev | symlinks, nosuid | nodev, "nosuid"},
		{container.Mount{Set: noatime, Clear: times}, noatime, times | nodir | ro | nosuid | nodev | noexec | symlinks, 0,
			"relatime"},
		{container.Mount{Clear: times}, 0, times, noatime, "noatime"},
		{container.Mount{Clear: times}, 0, times, 0, ""},
		{container.Mount{Set: nodir}, nodir, ro | nosuid | nodev | noexec | symlinks, 0, "diratime"},
		{container.Mount{Clear: nodir}, 0, nodir, nodir | unix.MOUNT_ATTR_STRICTATIME, "nodiratime"},
	} {
		if set, clear := bindAttrs(&c.m); set != c.set || clear != c.clear {
			t.Errorf("%+v: set %#x clear %#x, want %#x %#x", c.m, set, clear, c.set, c.clear)
		}
		set, clear, refused := lockedAttrs(&c.m, c.have)
		if got := attrNames(c.have, refused); got != c.refused || set&timeAttrs != 0 || clear&timeAttrs != 0 ||
			set&^c.m.Set != 0 {
			t.Errorf("%+v on %#x: refused %q, want %q; set %#x clear %#x", c.m, c.have, got, c.refused, set, clear)
		}
	}
}
