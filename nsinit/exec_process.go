package nsinit

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// stdioStep gives the standard streams to the user.
type stdioStep struct{}

func (stdioStep) stage() stage      { return stageStdio }
func (stdioStep) detail() string    { return "" }
func (stdioStep) do(c *child) error { return c.stdio() }

// stdio gives the standard streams to the user. It replaces the null device of the host by that of the container,
// because the container could change the host's inode.
func (c *child) stdio() error {
	for fd := range 3 {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return op("fstat", streamName(fd), err)
		}
		if isNullDevice(&st) {
			if err := c.reopenNull(fd); err != nil {
				return err
			}
			continue
		}
		if st.Uid == c.cfg.Process.UID || isHostDevice(fd, &st) {
			continue
		}
		err := unix.Fchown(fd, int(c.cfg.Process.UID), -1)
		switch err {
		case nil, unix.EPERM, unix.EROFS, unix.EINVAL, unix.EACCES: // not ours, or an owner unknown to this namespace
		default:
			return op("fchown", streamName(fd), err)
		}
	}
	return nil
}

// streamName is what errors call a standard stream.
func streamName(fd int) string { return "standard stream " + strconv.Itoa(fd) }

// isHostDevice reports whether a stream is a device of the host other than a terminal, such as /dev/zero: its owner
// is set by the host, for all users.
func isHostDevice(fd int, st *unix.Stat_t) bool {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		return true
	case unix.S_IFCHR:
		_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		return err != nil
	}
	return false
}

// reopenNull replaces a stream by the container's own null device. If the image has none, the stream stays as it
// is.
func (c *child) reopenNull(fd int) error {
	null, err := c.openNull(unix.O_RDWR | unix.O_NOCTTY)
	if err != nil {
		return nil //nolint:nilerr // no null device, or none that may be trusted: the host's is the better one
	}
	defer sys.Close(null)
	return op("dup3", "/dev/null", unix.Dup3(null, fd, 0))
}

// environmentStep makes the program's environment.
type environmentStep struct{}

func (environmentStep) stage() stage      { return stageEnv }
func (environmentStep) detail() string    { return "" }
func (environmentStep) do(c *child) error { return c.environment() }

// environment makes the program's environment: the result of cleanEnv, and HOME from the container's passwd(5) if
// that result does not contain HOME.
func (c *child) environment() error {
	env, home := cleanEnv(c.cfg.Process.Env)
	if !home {
		env = append(env, "HOME="+c.home())
	}
	c.env = env
	return nil
}

// cleanEnv returns an environment in which every name occurs once: if a name occurs more than once, the last entry
// counts. home reports whether HOME is in it and not empty; an empty HOME is left out.
func cleanEnv(env []string) (out []string, home bool) {
	out = make([]string, 0, len(env)+1)
	seen := make(map[string]bool, len(env))
	for i := len(env) - 1; i >= 0; i-- {
		name, value, _ := strings.Cut(env[i], "=")
		if seen[name] {
			continue
		}
		seen[name] = true
		if name == "HOME" {
			if value == "" {
				continue // even if an earlier entry has a value
			}
			home = true
		}
		out = append(out, env[i])
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, home
}

// home returns the user's home directory from the container's /etc/passwd, or "/" if there is none.
func (c *child) home() string {
	const most = 1 << 20
	fd, err := c.root.Open("/etc/passwd", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "/"
	}
	defer sys.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return "/"
	}
	buf := make([]byte, min(st.Size, most))
	n, err := unix.Pread(fd, buf, 0)
	if err != nil {
		return "/"
	}
	return homeOf(string(buf[:n]), c.cfg.Process.UID)
}

// homeOf returns the sixth field of the user's line in passwd(5).
func homeOf(passwd string, uid uint32) string {
	want := strconv.FormatUint(uint64(uid), 10)
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) >= 6 && f[2] == want && path.IsAbs(f[5]) {
			return f[5]
		}
	}
	return "/"
}

// rlimitStep sets one resource limit.
type rlimitStep struct{ limit *container.Rlimit }

func (rlimitStep) stage() stage      { return stageRlimit }
func (s rlimitStep) do(*child) error { return setRlimit(s.limit) }

func (s rlimitStep) detail() string {
	return fmt.Sprintf("%d %d %d", s.limit.Resource, s.limit.Soft, s.limit.Hard)
}

// setRlimit sets one limit. It uses package syscall for RLIMIT_NOFILE, because that package remembers the limit
// from before the runtime raised it and would restore that limit at the execution.
func setRlimit(l *container.Rlimit) error {
	if l.Resource == unix.RLIMIT_NOFILE {
		return limitError(l, syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: l.Soft, Max: l.Hard}))
	}
	return limitError(l, unix.Prlimit(0, l.Resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil))
}

// limitError wraps the error of a limit that was refused. It returns nil if err is nil.
func limitError(l *container.Rlimit, err error) error {
	return op("setrlimit", fmt.Sprintf("resource %d to soft %d, hard %d", l.Resource, l.Soft, l.Hard), err)
}

// filesStep marks every descriptor from first on close-on-exec, close_range(2).
type filesStep struct{ first int }

func (filesStep) stage() stage     { return stageFiles }
func (s filesStep) detail() string { return strconv.Itoa(s.first) }

func (s filesStep) do(*child) error {
	return op("close_range", "", unix.CloseRange(uint(s.first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC))
}
