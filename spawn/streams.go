package spawn

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// giveStreams makes the child's user, who is another one on the host, the owner of the standard streams: else the
// program could not open them anew, as /dev/stderr. The child itself may not: their owner is nobody in its user
// namespace. As there, a device of the host stays as it is, but for a terminal, and what is not the caller's to give as
// well.
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

// hostUser is what the child's user is here; -1 where its user namespace does not map it.
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
