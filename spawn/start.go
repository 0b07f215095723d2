package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rawfork"
	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Start makes the child and carries out the handshake with it. It returns when the child has executed the program, or
// waits behind the gate. The caller owns the Process.
//
// After an error there is no child left: it was told, killed and reaped, and everything that Start had made is removed.
// The error is a *StartError. Start never waits without a limit for a child that has ended, hangs or is stopped, or
// whose socket another process keeps open (Deadlines).
//
// If the small child of Config.Compile meets something that its program has no way for, Start ends it and makes a whole
// child, unless it has already carried out a request that changes something, which all do but that for a mount's
// source. Handler.Started is called for each of the two.
//
// A Pool starts children that were made before.
func Start(ctx context.Context, cfg Config) (*Process, error) {
	return startFrom(ctx, &cfg, nil)
}

// startFrom is Start with a child from the pool, if there is one.
func startFrom(ctx context.Context, cfg *Config, pool *Pool) (*Process, error) {
	p, again, err := attempt(ctx, cfg, cfg.Compile, pool)
	if again.cold && ctx.Err() == nil {
		p, again, err = attempt(ctx, cfg, cfg.Compile, nil)
	}
	if again.whole != "" && ctx.Err() == nil {
		if p, _, err = attempt(ctx, cfg, nil, nil); err == nil {
			p.child = "whole: " + again.whole
		}
	}
	return p, err
}

// retry says how a start may succeed after an attempt that failed; zero: in no other way.
type retry struct {
	cold  bool   // with a child that did not wait in the pool
	whole string // with a whole child; this is what happened to the small one
}

// attempt makes one attempt.
func attempt(ctx context.Context, cfg *Config, compile Compiler, pool *Pool) (p *Process, again retry, err error) {
	s := &starter{cfg: cfg, compile: compile, pool: pool}
	defer s.cleanup()
	if err := s.start(ctx); err != nil {
		failed := s.memberFailed(err)
		switch {
		case failed:
			again.cold = true
		case s.served:
			s.small.explain(err)
		default:
			again.whole = s.small.whyNot(err)
		}
		err = s.undo(err)
		if asStartError(err).Cleanup != nil { // it would be in the way of another child, and must be told
			s.small.explain(err)
			again = retry{}
		}
		if failed {
			pool.lost(s.member, err) // complete: others may read it from now on
		}
		return nil, again, err
	}
	s.process.child, s.process.warm = s.choice, s.member != nil
	return s.process, retry{}, nil
}

// starter is the state of one Start, with what must be undone if it fails.
type starter struct {
	cfg     *Config
	compile Compiler // of a small child's program; nil: a whole one
	small   *small   // nil: it is a whole one
	choice  string   // which child it is, for people
	pool    *Pool    // where a child may wait already; nil: none
	member  *member  // the child, if it comes from the pool; nil: it is made for this start
	spare   bool     // the child is made to wait in a pool
	served  bool     // the parent has carried out a request whose effects cannot be undone
	plan    *plan
	process *Process
	peer    *transport.Parent
	gate    *gate
	// protection is that of this program; empty for Config.Init.
	protection Protection
	// idNamespaces are the user namespaces of id-mapped mounts, by their mappings.
	idNamespaces map[string]*os.File
	maker        int      // thread that made the child, if that may get a parent death signal
	devices      *devices // network devices that were moved; nil: none
	close        []func() // run when the start is over, whether or not it succeeded
}

func (s *starter) start(ctx context.Context) error {
	var err error
	if s.plan, err = planOf(s.cfg, os.Geteuid() == 0); err != nil {
		return &StartError{Stage: "plan", Err: err}
	}
	s.plan.Env = append(s.plan.Env, sysmon.Env()...)
	if s.cfg.Gate != "" {
		if s.gate, err = listen(s.cfg.Gate); err != nil {
			return &StartError{Stage: "gate", Err: err}
		}
	}
	conn, err := s.child(ctx)
	if err != nil {
		return &StartError{Stage: "clone", Err: err}
	}
	if s.peer, err = s.newPeer(conn); err != nil {
		_ = conn.Close()
		return &StartError{Stage: "plan", Err: err}
	}
	s.onExit(func() { _ = s.peer.Close() })
	if err := s.place(ctx); err != nil {
		return err
	}
	return s.converse(ctx)
}

// child returns the parent's end of the handshake's socket, with the child at its other end: a member of the pool, or
// else a new process.
func (s *starter) child(ctx context.Context) (*transport.Conn, error) {
	m := s.pool.take(s.cfg)
	if s.member = m; m != nil && !m.small {
		s.process, s.choice = m.process, m.choice
		return m.conn, nil
	}
	s.chose(s.chooseChild())
	switch {
	case m == nil:
	case s.small == nil:
		s.pool.put(m)
		s.member = nil
	default:
		s.process = m.process
		return m.conn, nil
	}
	return s.clone(ctx)
}

// chose notes which child it is: a small one, or a whole one, and why.
func (s *starter) chose(small *small, whole error) {
	s.small, s.choice = small, "small"
	if whole != nil {
		s.small, s.choice = nil, "whole: "+whole.Error()
	}
}

func (s *starter) onExit(f func()) { s.close = append(s.close, f) }

func (s *starter) cleanup() {
	for i := len(s.close) - 1; i >= 0; i-- {
		s.close[i]()
	}
	if s.gate != nil {
		_ = s.gate.file.Close()
	}
}

// clone makes the child with a socket for the handshake, and returns the parent's end of that.
func (s *starter) clone(ctx context.Context) (*transport.Conn, error) {
	conn, theirs, err := transport.SocketPair(transport.SeqPacket)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	exe, err := s.openInit()
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	defer exe.Close()
	if err := s.fork(ctx, theirs, exe); err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.process.protection = s.protection
	return conn, nil
}

// openInit opens the program that the child executes. The caller closes the file.
func (s *starter) openInit() (*os.File, error) {
	if len(s.cfg.Init) > 0 {
		f, err := os.OpenFile(s.cfg.Init[0], unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("the child's program: %w", err)
		}
		return f, nil
	}
	if s.small != nil {
		image, err := openImage(s.profile())
		if err == nil {
			s.protection = SmallChild
			return image, nil
		}
		s.chose(nil, err)
	}
	f, how, err := openSelf()
	if err != nil {
		return nil, fmt.Errorf("open this program: %w", err)
	}
	s.protection = how
	return f, nil
}

func (s *starter) fork(ctx context.Context, socket, exe *os.File) error {
	files, done, err := s.files(socket, exe)
	if err != nil {
		return err
	}
	defer done()
	cgroup := -1
	steps := make([]func() error, 0, len(s.plan.Thread)+3)
	if len(s.cfg.Affinity) > 0 {
		steps = append(steps, s.affinity)
	}
	if g := s.cfg.Cgroup; g != nil {
		cgroup = g.FD()
		if g.Inherited() {
			steps = append(steps, g.Enter)
		}
	}
	if s.spare || s.cfg.Container.Process.ParentDeathSignal != 0 {
		steps = append(steps, s.noteMaker)
	}
	for _, step := range s.plan.Thread {
		steps = append(steps, step.run)
	}
	numbers := make([]int, 0, len(files))
	for _, fd := range files {
		numbers = append(numbers, int(fd))
	}
	bare := func() error {
		return onThread(steps, func() error { return s.forkBare(ctx, numbers[:len(numbers)-1], exe, cgroup) })
	}
	switch {
	case s.plan.needsBareFork() && !rawfork.Available:
		steps = append(steps, s.withoutFork)
	case s.plan.needsBareFork(), rawfork.CanShare && s.plan.hasUser():
		return bare()
	case rawfork.CanShare:
		err := onThread(steps, func() error { return s.forkShared(numbers, cgroup) })
		if errors.Is(err, unix.EINVAL) && ctx.Err() == nil {
			// Linux 6.1 lets no process share the memory of one in another time namespace, not even until it executes.
			return bare()
		}
		return err
	}
	made, err := s.forkBySyscall(steps, files, cgroup)
	if err != nil && made && rawfork.Available && ctx.Err() == nil {
		// That errno may be of any call between the clone and the execution. The bare fork is slower, but knows which call
		// failed.
		return bare()
	}
	return err
}

// forkBySyscall makes the child with package syscall, in builds without rawfork.Run. made reports whether all steps
// before were carried out, so that it got to the fork.
func (s *starter) forkBySyscall(steps []func() error, files []uintptr, cgroup int) (made bool, err error) {
	pidfd, pid := -1, 0
	attr := &syscall.ProcAttr{Dir: "/", Env: s.plan.Env, Files: files, Sys: s.plan.sysProcAttr(&pidfd, cgroup)}
	err = onThread(steps, func() (err error) {
		made = true
		pid, _, err = syscall.StartProcess("/proc/self/fd/"+strconv.Itoa(len(files)-1), s.plan.Argv, attr)
		return err
	})
	switch {
	case err != nil && made:
		return true, fmt.Errorf("make the child (its clone with new namespaces [%s], its mappings, or its execution): %w",
			flagNames(s.plan.Cloneflags), err)
	case err != nil:
		return false, err
	case pidfd < 0:
		_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		return false, errors.New("clone returned no pidfd: Linux 5.4 or later is needed")
	}
	s.process = newProcess(pid, pidfd)
	return true, nil
}

// files returns the child's descriptor table: standard streams, descriptors to preserve, the socket, the program.
func (s *starter) files(socket, exe *os.File) (fds []uintptr, done func(), err error) {
	var null *os.File
	done = func() {
		if null != nil {
			_ = null.Close()
		}
	}
	for _, f := range s.cfg.Files {
		if f == nil && null == nil {
			if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
				return nil, done, err
			}
		}
		if f == nil {
			f = null
		}
		fds = append(fds, f.Fd())
	}
	for fd := 3; fd < 3+s.cfg.PreserveFDs; fd++ {
		if err := checkPreserved(fd); err != nil {
			done()
			return nil, func() {}, err
		}
		fds = append(fds, uintptr(fd))
	}
	return append(fds, socket.Fd(), exe.Fd()), done, nil
}

// checkPreserved refuses descriptors that the caller cannot have meant to pass on: those that are not open, and those
// with FD_CLOEXEC, which all of this process's own have. So no descriptor of the runtime itself can leak into a
// container.
func checkPreserved(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC != 0 {
		err = unix.EBADF // it may be one of our own, with a number that the caller left free: report it as not open
	}
	if err != nil {
		return fmt.Errorf("preserve descriptor %d: it is not open in the caller, or has FD_CLOEXEC: %w", fd, err)
	}
	return nil
}

// place does what the parent does to the child before it sends anything.
func (s *starter) place(ctx context.Context) error {
	if adj := s.cfg.OOMScoreAdj; adj != nil {
		path := "/proc/" + strconv.Itoa(s.process.pid) + "/oom_score_adj"
		if err := os.WriteFile(path, []byte(strconv.Itoa(*adj)), 0); err != nil {
			return &StartError{Stage: "oom_score_adj", Err: fmt.Errorf("oom_score_adj %d: %w", *adj, err)}
		}
	}
	if err := s.giveStreams(); err != nil {
		return &StartError{Stage: "started", Err: fmt.Errorf("standard streams: %w", err)}
	}
	if err := s.giveDevices(); err != nil {
		return &StartError{Stage: "started", Err: err}
	}
	if s.cfg.Handler != nil {
		if err := s.cfg.Handler.Started(ctx, s.process.pid); err != nil {
			return &StartError{Stage: "started", Err: err}
		}
	}
	return nil
}

// profile returns the profile of the conversation.
func (s *starter) profile() *syncproto.Profile {
	if s.plan.Profile == profileSetns {
		return container.SetnsProfile()
	}
	return container.InitProfile()
}

func (s *starter) newPeer(conn *transport.Conn) (*transport.Parent, error) {
	c := s.cfg.Codec
	switch {
	case s.small != nil:
		c = smallchild.Codec()
	case c == nil:
		c = codec.MessagePack()
	}
	profile := s.profile()
	p, err := transport.NewParent(conn, profile, transport.Options{
		Codecs: []codec.Codec{c}, Session: s.cfg.Container.ID, Deadlines: s.cfg.Deadlines.withHooks(s.cfg.Container.Hooks),
		Trace:   s.cfg.Trace,
		Process: s.process.pidfd,
	})
	if err != nil {
		return nil, err
	}
	told := s.cfg.Container.containerConfig()
	if s.gate != nil {
		told.GateFD = 1 // any number but 0; config sets the right one
	}
	return p, p.Narrow(told.Narrow(profile))
}

// undo ends the child, if there is one, and adds to the error what is known of its end.
func (s *starter) undo(err error) error {
	if s.gate != nil {
		s.gate.remove()
	}
	e := asStartError(err)
	e.Cleanup = s.takeDevicesBack()
	if s.process == nil {
		return e
	}
	if s.peer != nil && e.Stage != stageHandshake {
		_ = s.peer.Abort(context.Background(), err)
	}
	status, werr := s.process.kill()
	_ = s.process.Release()
	if werr != nil {
		e.Cleanup = joinErrors(e.Cleanup, fmt.Errorf("kill and reap pid %d: %w", s.process.pid, werr))
		return e
	}
	e.Status, e.Reaped = status, true
	return e
}

// config returns the body of CONFIG and the descriptors to send with it.
func (s *starter) config() (*container.Config, []int, error) {
	c := s.cfg.Container.containerConfig()
	c.Namespaces = append([]container.Namespace(nil), s.plan.Namespaces...)
	c.Loopback = s.plan.Loopback
	c.KeepFDs = s.cfg.PreserveFDs
	c.SetGroupsDenied = len(s.plan.UIDMap) > 0 && !s.plan.SetGroups
	var fds []int
	for i, n := range c.Namespaces {
		if n.How != container.NSJoin {
			continue
		}
		f, err := openNamespace(n.Kind, s.joinPath(n.Kind))
		if err != nil {
			return nil, nil, err
		}
		s.onExit(func() { _ = f.Close() })
		fds = append(fds, int(f.Fd()))
		c.Namespaces[i].FD = len(fds)
	}
	if s.gate != nil {
		fds = append(fds, int(s.gate.file.Fd()))
		c.GateFD = len(fds)
	}
	for i, place := range [...]*int{&c.Hooks.StdoutFD, &c.Hooks.StderrFD} {
		*place = 0
		if f := s.cfg.HookFiles[i]; f != nil {
			fds = append(fds, int(f.Fd()))
			*place = len(fds)
		}
	}
	if s.member == nil {
		return &c, fds, nil
	}
	// After the gate, which the small child expects to be the first.
	for i, place := range [...]*int{&c.StdinFD, &c.StdoutFD, &c.StderrFD} {
		if s.cfg.Files[i] == s.member.files[i] {
			continue
		}
		f, err := s.stream(i)
		if err != nil {
			return nil, nil, err
		}
		fds = append(fds, int(f.Fd()))
		*place = len(fds)
	}
	return &c, fds, nil
}

// stream returns a standard stream of the child for CONFIG.
func (s *starter) stream(i int) (*os.File, error) {
	if f := s.cfg.Files[i]; f != nil {
		return f, nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s.onExit(func() { _ = null.Close() })
	return null, nil
}

func (s *starter) joinPath(kind string) string {
	for _, n := range s.cfg.Namespaces {
		if n.Kind == kind {
			return n.Path
		}
	}
	return ""
}
