package spawn

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/remote"
)

// small is what makes the child a small one.
type small struct {
	program *smallchild.Program
	config  []byte   // the program, encoded: the bytes that CONFIG is
	fds     []int    // that ride with it
	image   *os.File // the static program; closed when the start is over
}

// errNotAsked is why the child is a whole one where nobody said otherwise.
var errNotAsked = errors.New("no small one was asked for")

// chooseChild decides which child this is, and says why a whole one.
func (s *starter) chooseChild(compile Compiler) (*small, error) {
	switch {
	case compile == nil:
		return nil, errNotAsked
	case len(s.cfg.Init) > 0 || s.cfg.Codec != nil:
		return nil, errors.New("its program or its codec is given")
	case s.plan.Profile == profileSetns:
	case s.plan.needsBareFork() || s.plan.hasUser():
		return nil, errors.New("it joins namespaces, or has a user namespace")
	case !firstUserNamespace():
		return nil, errors.New("in a user namespace no device can be made")
	case len(s.cfg.NetDevices) > 0:
		return nil, errors.New("it is given network devices")
	}
	config, fds, err := s.config()
	if err != nil {
		return nil, err
	}
	program, err := compile(s.plan.Profile, config)
	if err != nil {
		return nil, err
	}
	b, err := program.Encode()
	if err != nil {
		return nil, err
	}
	image, err := openImage(s.profile())
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, func() { _ = image.Close() })
	return &small{program, b, fds, image}, nil
}

// firstUserNamespace reports whether this process is in the user namespace that the kernel began with:
// PROC_USER_INIT_INO of its include/linux/proc_ns.h.
func firstUserNamespace() bool {
	const first = 0xeffffffd
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino == first
}

// openImage writes the small child to sealed memory; the caller owns the file. That fails where programs in memory may
// not be executed (vm.memfd_noexec, sysctl/vm.rst of the kernel's documentation).
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

// cannot reports whether a start ended because the small child cannot carry its program out, and says where that was.
func (m *small) cannot(err error) (why string, yes bool) {
	place, errno, theirs := m.failure(err)
	if theirs == nil {
		return "", false
	}
	why = "the small one could not go on at " + m.program.Describe(place)
	if errno != 0 {
		why += " (" + unix.ErrnoName(errno) + ")"
	}
	return why, true
}

// explain puts what a whole child would say in the place of what the small child said, if it could not carry its
// program out.
func (m *small) explain(err error) {
	place, errno, theirs := m.failure(err)
	if theirs == nil {
		return
	}
	r := remote.Report(m.program.Explain(place, errno), "")
	r.Role = theirs.Report.Role
	*theirs = *remote.FromReport(r)
}

// failure finds in err at which instruction the small child could not go on, and with which errno; theirs is nil if
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
