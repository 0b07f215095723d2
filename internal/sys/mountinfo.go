package sys

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallfile"
)

// MountEntry is one mount of a mount namespace, with the fields of proc_pid_mountinfo(5) that are needed here.
type MountEntry struct {
	ID, Parent uint64
	Device     string // of the file system: "major:minor"
	Root       string // directory of the file system that is the root of the mount
	Point      string // where it is mounted, relative to the reader's root
	Type       string // of the file system
	Shared     bool   // it is in a peer group, so it sends events
}

// OpenMounts opens the list of this process's mounts, as seen from its root, for ReadMounts. The caller owns the
// descriptor, which still works when /proc is gone.
func OpenMounts() (int, error) {
	const name = "/proc/self/mountinfo"
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, fail("open", name, err)
	}
	if magic, err := FSType(fd); err != nil || magic != unix.PROC_SUPER_MAGIC {
		Close(fd)
		return -1, fail("open", name, errors.New("/proc is not a procfs"))
	}
	return fd, nil
}

// ReadMounts reads the list from its start.
func ReadMounts(fd int) ([]MountEntry, error) {
	var text []byte
	buf := make([]byte, 64<<10)
	for {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Pread(fd, buf, int64(len(text)))
			return err
		})
		if err != nil {
			return nil, fail("read", "mountinfo", err)
		}
		if n == 0 {
			return ParseMounts(string(text))
		}
		text = append(text, buf[:n]...)
	}
}

// ParseMounts parses the text of a mountinfo file.
func ParseMounts(text string) ([]MountEntry, error) {
	var all []MountEntry
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		f := strings.Split(before, " ")
		if !ok || len(f) < 6 {
			return nil, fail("parse", "mountinfo", fmt.Errorf("line %q has another form than proc(5) says", line))
		}
		id, err := strconv.ParseUint(f[0], 10, 64)
		parent, err2 := strconv.ParseUint(f[1], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return nil, fail("parse", "mountinfo", err)
		}
		m := MountEntry{ID: id, Parent: parent, Device: f[2], Root: smallfile.Unescape(f[3]), Point: smallfile.Unescape(f[4])}
		m.Type, _, _ = strings.Cut(after, " ")
		for _, option := range f[6:] {
			m.Shared = m.Shared || strings.HasPrefix(option, "shared:")
		}
		all = append(all, m)
	}
	return all, nil
}

// MountOf returns the id of the mount that fd is on, and whether fd is the root of that mount (statx(2), Linux 5.8).
func MountOf(fd int) (id uint64, root bool, err error) {
	var st unix.Statx_t
	err = retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st) })
	if err == nil && st.Mask&unix.STATX_MNT_ID == 0 {
		err = unix.ENOSYS
	}
	return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, fail("statx", "", err)
}

// MountRoot opens the root of the mount that the directory fd is on, by going up from fd. The caller owns the
// descriptor, and keeps fd.
func MountRoot(fd int, name string) (int, error) {
	at, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fail("fcntl F_DUPFD_CLOEXEC", name, err)
	}
	// No path is deeper. Without this limit, a root that is not the root of a mount, whose ".." is itself, would loop
	// forever.
	for range unix.PathMax / 2 {
		if _, root, err := MountOf(at); err != nil || root {
			if err != nil {
				Close(at)
				return -1, err
			}
			return at, nil
		}
		up, err := unix.Openat(at, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		Close(at)
		if err != nil {
			return -1, fail("open", "the directory above "+name, err)
		}
		at = up
	}
	Close(at)
	return -1, fail("open", "the root of the mount of "+name, unix.ELOOP)
}
