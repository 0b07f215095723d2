package spawn

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// small is what makes the child a small one.
type small struct {
	program *smallchild.Program
	config  []byte // the program, encoded: the bytes that CONFIG is
	fds     []int  // sent along with it
}

// chooseChild decides whether the child is a small one. If it is not, the error says why.
func (s *starter) chooseChild() (*small, error) {
	switch {
	case s.compile == nil:
		return nil, errors.New("no small one was requested")
	case len(s.cfg.Init) > 0 || s.cfg.Codec != nil:
		return nil, errors.New("its program or its codec is given")
	case s.plan.Profile == profileSetns:
	case !s.plan.hasUser() && !firstUserNamespace():
		return nil, errors.New("no device can be created in a user namespace")
	case len(s.cfg.NetDevices) > 0:
		return nil, errors.New("it gets network devices")
	}
	config, fds, err := s.config()
	if err != nil {
		return nil, err
	}
	program, err := s.compile(s.plan.Profile, config)
	if err != nil {
		return nil, err
	}
	b, err := program.Encode()
	if err != nil {
		return nil, err
	}
	return &small{program, b, fds}, nil
}

// firstUserNamespace reports whether this process is in the kernel's first user namespace:
// PROC_USER_INIT_INO of its include/linux/proc_ns.h. A process with several threads cannot enter another one.
var firstUserNamespace = sync.OnceValue(func() bool {
	const first = 0xeffffffd
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino == first
})

// openImage writes the small child to sealed memory. The caller owns the file. It fails if the host forbids to execute
// programs in memory (vm.memfd_noexec, sysctl/vm.rst of the kernel's documentation).
func openImage(p *syncproto.Profile) (*os.File, error) {
	f, err := sealed("handfast", func(out *os.File) error {
		_, err := out.Write(smallchild.Image(p))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the small one cannot be put into memory: %w", err)
	}
	return f, nil
}

// whyNot says where a start ended because the small child could not carry out its program; it returns "" if that is not
// why.
func (m *small) whyNot(err error) string {
	place, errno, theirs := m.failure(err)
	if theirs == nil {
		return ""
	}
	why := "the small one could not continue at " + m.program.Describe(place)
	if errno != 0 {
		why += " (" + unix.ErrnoName(errno) + ")"
	}
	return why
}

// explain replaces the error of a small child that could not carry out its program by the one that a whole child would
// have sent.
func (m *small) explain(err error) {
	place, errno, theirs := m.failure(err)
	if theirs == nil {
		return
	}
	r := remote.Report(m.program.Explain(place, errno), "")
	r.Role = theirs.Report.Role
	*theirs = *remote.FromReport(r)
}

// failure finds in err the instruction at which the small child could not continue, and the errno. theirs is nil if
// that is not what happened.
func (m *small) failure(err error) (place int, errno unix.Errno, theirs *remote.Error) {
	if m == nil || !errors.As(err, &theirs) || theirs.Report.Code != syncproto.CodeConfig || theirs.IsEcho() {
		return 0, 0, nil
	}
	at, told := strings.CutPrefix(theirs.Error(), smallchild.Failed)
	if _, e := fmt.Sscan(at, &place, &errno); !told || e != nil {
		return 0, 0, nil
	}
	return place, errno, theirs
}
