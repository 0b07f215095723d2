package nsinit

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestHostPropagation(t *testing.T) {
	for _, c := range []struct {
		root, want uint64
		recursive  bool
		share      bool
		after      uint64
	}{
		{0, unix.MS_SLAVE, true, false, 0},
		{unix.MS_PRIVATE | unix.MS_REC, unix.MS_PRIVATE, true, false, 0},
		{unix.MS_PRIVATE, unix.MS_PRIVATE, false, true, 0},
		{unix.MS_SLAVE | unix.MS_REC, unix.MS_SLAVE, true, false, 0},
		{unix.MS_SHARED | unix.MS_REC, unix.MS_SHARED, true, true, unix.MS_SHARED},
		{unix.MS_SHARED, unix.MS_SHARED, false, true, unix.MS_SHARED},
		{unix.MS_UNBINDABLE | unix.MS_REC, unix.MS_PRIVATE, true, false, unix.MS_UNBINDABLE},
		{unix.MS_UNBINDABLE, unix.MS_PRIVATE, false, true, unix.MS_UNBINDABLE},
	} {
		if p, r := hostPropagation(c.root); p != c.want || r != c.recursive || mayShare(c.root) != c.share ||
			rootPropagation(c.root) != c.after {
			t.Errorf("%#x: %#x %v %v %#x, want %+v", c.root, p, r, mayShare(c.root), rootPropagation(c.root), c)
		}
	}
}
