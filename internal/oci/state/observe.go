package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallfile"
)

// Observe gets the facts about a container with the state s from the kernel. The caller, who knows the cgroup,
// sets Frozen.
func (st Store) Observe(s *State) (Facts, error) {
	f := Facts{Creating: s.Creating}
	var err error
	if f.Creating {
		if f.Locked, err = st.locked(s.ID); err != nil {
			return f, err
		}
	}
	started, alive, err := ProcessStart(s.PID)
	if err != nil {
		return f, err
	}
	f.Alive = alive && started == s.StartTime
	if s.Gate != "" {
		var stat unix.Stat_t
		f.Gate = unix.Lstat(s.Gate, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFSOCK
	}
	return f, nil
}

// locked reports whether another descriptor holds the container's lock.
func (st Store) locked(id string) (bool, error) {
	fd, err := unix.Open(st.path(id), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "open", Path: st.path(id), Err: err}
	}
	defer unix.Close(fd)
	// A shared lock is sufficient, and two observers do not mistake each other for a holder.
	switch err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err {
	case nil:
		return false, nil
	case unix.EWOULDBLOCK:
		return true, nil
	default:
		return false, &os.PathError{Op: "flock", Path: st.path(id), Err: err}
	}
}

// ProcessStart returns when a process started, in clock ticks since boot (field 22 in proc_pid_stat(5)), and
// whether it is alive: it exists and is not a zombie. A process whose first thread has ended looks like a zombie,
// but is alive as long as it has another thread.
func ProcessStart(pid int) (started uint64, alive bool, err error) {
	if pid <= 0 {
		return 0, false, nil
	}
	file := "/proc/" + strconv.Itoa(pid) + "/stat"
	b, err := smallfile.Read(file)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	started, alive, ok := parseStat(b)
	if !ok {
		return 0, false, fmt.Errorf("%s: cannot read %q", file, b)
	}
	return started, alive, nil
}

// parseStat parses the fields 3 (state), 20 (threads) and 22. Field 2 is the program's name in parentheses and may
// contain anything, including parentheses and spaces.
func parseStat(b []byte) (started uint64, alive, ok bool) {
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || len(fields[0]) != 1 {
		return 0, false, false
	}
	threads, err := strconv.Atoi(string(fields[17]))
	if err != nil {
		return 0, false, false
	}
	started, err = strconv.ParseUint(string(fields[19]), 10, 64)
	state := fields[0][0]
	return started, state != 'X' && (state != 'Z' || threads > 1), err == nil
}

// UserName returns the name of a user from passwd(5), or "#" and the number.
func UserName(uid int) string {
	b, _ := smallfile.Read("/etc/passwd") // without the file there are no names
	return userName(b, strconv.Itoa(uid))
}

func userName(passwd []byte, uid string) string {
	for line := range bytes.Lines(passwd) {
		f := bytes.SplitN(line, []byte{':'}, 4)
		if len(f) == 4 && string(f[2]) == uid && len(f[0]) > 0 {
			return string(f[0])
		}
	}
	return "#" + uid
}
