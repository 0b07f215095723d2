package spawn

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// member is a child that waits for HELLO. It belongs to the pool, and from take on to one start.
type member struct {
	process *Process
	conn    *transport.Conn
	small   bool
	choice  string      // which child it is, for people
	files   [3]*os.File // the standard streams that it was made with
	mounts  bool        // it has a mount namespace of its own
	made    time.Time

	unwatch func() error // ends the watch; it may be called more than once
}

// newMember makes a member. In ctx only its making is bounded.
func (p *Pool) newMember(ctx context.Context) (*member, error) {
	s := &starter{cfg: &p.template, plan: p.plan, spare: true, choice: p.choice}
	defer s.cleanup()
	if p.small {
		s.small = new(small) // its program follows with the start
	}
	conn, err := s.clone(ctx)
	if err != nil {
		return nil, err
	}
	// The kernel takes the end of this thread for the end of the parent, which some program may want to be told.
	if err := s.waitForMaker(ctx); err != nil {
		_ = conn.Close()
		_, killed := s.process.kill()
		if failed := joinErrors(killed, s.process.Release()); failed != nil {
			return nil, failed // it says more than that ctx is done
		}
		return nil, err
	}
	return &member{
		process: s.process, conn: conn, small: s.small != nil, choice: s.choice, files: p.template.Files, mounts: p.mounts,
		made: time.Now(), unwatch: func() error { return nil },
	}, nil
}

// watch has the pool told when the process has ended, until unwatch is called. It reaps nothing, so that whoever owns
// the member need not wait for the watch to be over.
func (p *Pool) watch(m *member) error {
	f, err := m.process.pollable()
	if err != nil {
		return err
	}
	rc, err := f.SyscallConn()
	if err != nil {
		_ = f.Close()
		return err
	}
	m.unwatch = f.Close
	p.watching.Go(func() {
		// It returns an error once the file is closed.
		if rc.Read(func(fd uintptr) bool { return ended(int(fd)) }) == nil {
			p.ended(m)
		}
	})
	return nil
}

// end kills and reaps the process, and closes what belongs to the member. It returns how the process ended.
func (m *member) end() (syscall.WaitStatus, error) {
	_ = m.unwatch()
	_ = m.conn.Close()
	status, err := m.process.kill()
	return status, joinErrors(err, m.process.Release())
}

// sees reports whether the files that the member would mount are those that this process sees. In a mount namespace of
// its own it has a copy of this process's mounts, which later ones may not have reached.
func (m *member) sees(c *Container) bool {
	if !m.mounts {
		return true
	}
	paths := []string{c.Root.Path}
	for i := range c.Mounts {
		if c.Mounts[i].Bind {
			paths = append(paths, c.Mounts[i].Source)
		}
	}
	fd, err := unix.Open(m.root(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	root := sys.NewRoot(fd, m.root())
	defer root.Close()
	for _, path := range paths {
		if filepath.IsAbs(path) && !sameFile(path, root) {
			return false
		}
	}
	return true
}

func (m *member) root() string { return "/proc/" + strconv.Itoa(m.process.pid) + "/root" }

// ended reports whether the process has ended or is about to: then it has no root directory any more.
func (m *member) ended() bool {
	var st unix.Stat_t
	return m.process.ended() || unix.Stat(m.root(), &st) == unix.ENOENT
}

// sameFile reports whether a path leads to the same file from this process's root and from the other one, links on the
// way included, or fails in the same way.
func sameFile(path string, root *sys.Root) bool {
	var here, there unix.Stat_t
	mine := unix.Stat(path, &here)
	fd, theirs := root.Path(path)
	if theirs == nil {
		theirs = unix.Fstat(fd, &there)
		sys.Close(fd)
	}
	if mine != nil || theirs != nil {
		return mine != nil && errors.Is(theirs, mine)
	}
	return here.Dev == there.Dev && here.Ino == there.Ino
}

// memberFailed reports whether err is the failure of a member before it had carried out anything. Then the start can
// begin anew.
func (s *starter) memberFailed(err error) bool {
	if s.member == nil || s.served {
		return false
	}
	var f *transport.Failure
	if !errors.As(err, &f) {
		return s.process != nil && s.process.ended()
	}
	switch f.Outcome {
	case syncproto.Died, syncproto.Broken, syncproto.TimedOut:
		return f.State < syncproto.Configured
	}
	return false
}
