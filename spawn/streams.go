package spawn

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// giveStreams makes the child's user the owner of the standard streams, if the child is in a user namespace: otherwise
// the program could not reopen them, for example as /dev/stderr. The child cannot do it itself, because its user
// namespace does not map their owner. As when the child does it, devices of the host other than terminals stay as they
// are, and so do files whose owner the caller may not change.
func (s *starter) giveStreams() error {
	if !s.plan.hasUser() {
		return nil
	}
	uid, err := s.hostUser()
	if err != nil || uid < 0 {
		return err
	}
	for _, f := range s.cfg.Files {
		if f == nil {
			continue
		}
		rc, err := f.SyscallConn()
		if err != nil {
			return err
		}
		_ = rc.Control(func(fd uintptr) {
			var st unix.Stat_t
			if unix.Fstat(int(fd), &st) != nil || int(st.Uid) == uid || st.Mode&unix.S_IFMT == unix.S_IFBLK {
				return
			}
			if st.Mode&unix.S_IFMT == unix.S_IFCHR {
				if _, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
					return
				}
			}
			_ = unix.Fchown(int(fd), uid, -1)
		})
	}
	return nil
}

// hostUser returns the host's id of the child's user; -1 if its user namespace does not map it.
func (s *starter) hostUser() (int, error) {
	path := "/proc/" + strconv.Itoa(s.process.pid) + "/uid_map"
	data, err := os.ReadFile(path)
	if err != nil {
		return -1, err
	}
	var maps []IDMap
	for line := range strings.Lines(string(data)) {
		var m IDMap
		if _, err := fmt.Sscan(line, &m.ContainerID, &m.HostID, &m.Size); err != nil {
			return -1, fmt.Errorf("%s: %q is not three numbers", path, line)
		}
		maps = append(maps, m)
	}
	return hostID(maps, s.cfg.Container.Process.UID), nil
}
