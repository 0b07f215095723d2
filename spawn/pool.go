package spawn

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/syncproto/container"
)

// Pool keeps children waiting for their configuration, so that a start need not make one: the protocol sends the
// configuration only after the process exists. A child that waits, a member of the pool, has executed its program and
// has its namespaces. Config.Compile decides for the template which child the members are. While it waits, a small one
// takes some 16 KiB of memory of its own, a whole one what this program takes to start, often some MiB; beside that,
// the kernel keeps a process and its namespaces for each.
//
// # What is fixed
//
// When a member is made, the template decides its namespaces and their mappings, its control group and processors, its
// descriptors and the program that it executes. A start must have the same Namespaces, UIDMappings, GIDMappings,
// TimeOffsets, PreserveFDs, Cgroup, Affinity and Init, and with Init also the same Files; otherwise it fails with an
// error that names the field. In a new user namespace only a template with KeepGroups has members that can keep them.
// Everything else of a Config belongs to the start: all of Container, the standard streams, the gate, devices, hooks,
// deadlines, and the Handler. Started of the Handler runs at the start, and may for example
// move the process to a group of its own.
//
// What a child inherits from its caller without being told is of the moment when the member was made, not of the start:
// resource limits that Rlimits leaves out, groups with KeepGroups, scheduling, and the mounts in the copy that a new
// mount namespace is. Mounts that are made later reach the copy only where the caller's mounts are shared
// (mount_namespaces(7)); an unmounted file system may stay busy because of the copy. So a start compares the root and
// the sources of bind mounts, and takes no member that sees other files there. It does not compare the mounts below
// them. A path in Namespaces is resolved when a member is made, except for a mount namespace.
//
// # Security
//
// A member has the caller's privileges and only waits. Nothing of a container runs in its new namespaces before it does
// what its configuration says, and each member serves a single start. But a namespace that it joins is inhabited: there
// its processes see the member for as long as it waits, can signal it if their user may, and can trace it if they have
// the capabilities of the caller. So a pool does not serve a Target, and its members should not join pid or user
// namespaces of processes that are not trusted. A member keeps joined namespaces alive, and the descriptors in
// Template.Files open.
//
// # Lifetime
//
// Members are made in the background, one after the other. One that ends is noticed and replaced. If members cannot be
// made or end by themselves, the pool waits longer after each failure, up to 10 s. When this process ends, in whatever
// way, so do its members, for they read end of file; a program of Config.Init must do so, too, and must wait for HELLO
// without a deadline (docs/protocol.md, section 12).
//
// All methods may be called by any goroutine.
type Pool struct {
	template Config
	plan     *plan
	small    bool   // the members are small
	choice   string // which child they are, for people
	mounts   bool   // they have mount namespaces of their own
	size     int

	stop     context.CancelFunc
	room     chan struct{} // holds an element after members have left
	refilled chan struct{} // closed once no member is made any more

	mu       sync.Mutex
	idle     []*member // the oldest first
	closed   bool
	failures int   // members in a row that could not be made
	endings  int   // members in a row that ended by themselves, or failed before they had begun
	unmade   error // why the last attempt to make a member failed; nil if it did not
	stats    PoolStats
	changed  chan struct{} // closed, and replaced, when idle, closed or unmade change

	watching sync.WaitGroup // for the members
	closing  sync.Once
	closeErr error
}

// PoolConfig says which children a Pool keeps.
type PoolConfig struct {
	// Template is how the members are made: a Config as most starts will have it, if need be without a program. What only
	// a start needs has no meaning here: Gate, Handler, Listener, HookFiles, OOMScoreAdj, Trace, and the Deadlines other
	// than Hello. Descriptors and the Cgroup are borrowed until Close.
	Template Config
	// Size is how many members wait; at least one. Each is a process and holds three descriptors of this one.
	Size int
}

// PoolStats are the numbers of a pool.
type PoolStats struct {
	Waiting int    // members that wait now
	Warm    uint64 // starts from a member
	Cold    uint64 // starts that made a child, because no member waited or fit
	Lost    uint64 // members that ended while they waited, or failed before they had begun
	Stale   uint64 // members that were given up because they saw other files than this process
	Err     error  // why no member could be made, or how the last one to be lost ended; nil once one is made again
}

// NewPool returns a pool that fills itself in the background. It fails if the template is not valid; whether children
// can be made of it, Fill says. The caller must close the pool.
func NewPool(c PoolConfig) (*Pool, error) {
	if c.Size < 1 {
		return nil, fmt.Errorf("pool: size %d: want at least 1", c.Size)
	}
	if c.Template.Target != nil {
		return nil, errors.New("pool: Template.Target: a child that joins a container is made when it is needed, " +
			"because the container would see it wait")
	}
	t := c.Template
	t.Namespaces, t.Affinity, t.Init = slices.Clone(t.Namespaces), slices.Clone(t.Affinity), slices.Clone(t.Init)
	t.UIDMappings, t.GIDMappings = slices.Clone(t.UIDMappings), slices.Clone(t.GIDMappings)
	t.TimeOffsets = maps.Clone(t.TimeOffsets)
	plan, err := planOf(&t, os.Geteuid() == 0)
	if err != nil {
		return nil, fmt.Errorf("pool: template: %w", err)
	}
	plan.Env = append(plan.Env, sysmon.Env()...)
	if !slices.Contains(plan.Env, noPreemption) {
		plan.Env = append(plan.Env, noPreemption) // a start may bring a filter
	}
	usual := t
	if len(usual.Container.Process.Args) == 0 {
		usual.Container.Process.Args = []string{"/"} // Compile wants one, and decides alike for any
	}
	s := &starter{cfg: &usual, compile: t.Compile, plan: plan}
	s.chose(s.chooseChild())
	if s.small != nil {
		image, err := openImage(s.profile()) // the host may forbid it, for all members alike
		if err != nil {
			s.chose(nil, err)
		} else {
			_ = image.Close()
		}
	}
	s.cleanup()
	ctx, stop := context.WithCancel(context.Background())
	p := &Pool{
		template: t, plan: plan, small: s.small != nil, choice: s.choice, size: c.Size, stop: stop,
		mounts: t.creates(container.NSMount),
		room:   make(chan struct{}, 1), refilled: make(chan struct{}), changed: make(chan struct{}),
	}
	p.room <- struct{}{}
	go p.refill(ctx)
	return p, nil
}

// Start is the function Start with a child from the pool. If none waits, or the configuration needs another child than
// those that do, it makes one as the function does and does not wait for a member. It does so, too, if the member ends
// or does not reply before it has confirmed its configuration; Handler.Started is then called for each of the two.
//
// A configuration that does not fit the template is a *StartError of the stage "plan" that names the field. After Close
// the error is os.ErrClosed.
func (p *Pool) Start(ctx context.Context, cfg Config) (*Process, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	p.mu.Lock()
	closed := p.closed || p.stop == nil
	p.mu.Unlock()
	if closed {
		return nil, &StartError{Stage: "plan", Err: errPoolClosed}
	}
	if err := fit(&p.template, &cfg); err != nil {
		return nil, &StartError{Stage: "plan", Err: err}
	}
	// Not before, because it would compete with the start.
	defer p.wake()
	process, err := startFrom(ctx, &cfg, p)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if process.warm {
		p.stats.Warm++
		p.endings = 0
	} else {
		p.stats.Cold++
	}
	return process, nil
}

var errPoolClosed = fmt.Errorf("pool: %w", os.ErrClosed)

// Child says, for people, which child the members are: "small", or "whole" and why.
func (p *Pool) Child() string { return p.choice }

// Fill waits until the pool is full. It returns an error as soon as a member cannot be made, although the pool tries
// again, when ctx is done, and os.ErrClosed when the pool is closed.
func (p *Pool) Fill(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	for {
		p.mu.Lock()
		full, closed, err, changed := len(p.idle) == p.size, p.closed || p.stop == nil, p.unmade, p.changed
		p.mu.Unlock()
		switch {
		case closed:
			return errPoolClosed
		case full:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		}
	}
}

// Stats returns the pool's numbers.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Waiting = len(p.idle)
	return s
}

// Close ends all members and waits until they are reaped, but for one that a Start has taken and is about to use or to
// end. Processes that were started belong to their callers and stay.
// Further calls wait for the first one and return its error, which says what could not be ended.
func (p *Pool) Close() error {
	if p.stop == nil {
		return errPoolClosed
	}
	p.closing.Do(func() {
		p.mu.Lock()
		p.closed = true
		idle := p.idle
		p.idle = nil
		p.notify()
		p.mu.Unlock()
		p.stop()
		<-p.refilled
		for _, m := range idle {
			_ = m.process.Signal(unix.SIGKILL) // all at once; end waits for each
		}
		for _, m := range idle {
			_, err := m.end()
			p.closeErr = joinErrors(p.closeErr, err)
		}
		p.watching.Wait()
	})
	return p.closeErr
}

// refill makes members as long as there is room.
func (p *Pool) refill(ctx context.Context) {
	defer close(p.refilled)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.room:
		}
		for {
			missing, pause := p.missing()
			if !missing {
				break
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			p.add(p.newMember(ctx))
		}
	}
}

// missing reports whether there is room for a member, and how long to wait before one is made.
func (p *Pool) missing() (bool, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && len(p.idle) < p.size, delay(max(p.failures, p.endings))
}

// add adds a member that was made, or notes why none could be made.
func (p *Pool) add(m *member, err error) {
	made := err == nil
	if made {
		err = p.insert(m, false)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.notify()
	if p.closed {
		if made { // otherwise nothing is left of it
			p.closeErr = joinErrors(p.closeErr, err)
		}
		return
	}
	if p.unmade, p.stats.Err = err, err; err != nil {
		p.failures++
	} else {
		p.failures = 0
	}
}

// put returns a member that was taken and not used.
func (p *Pool) put(m *member) {
	err := p.insert(m, true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.stats.Err = err
	}
	p.notify()
}

// insert makes a member wait, as the next one to be taken or as the last. If there is no room for it, or the pool is
// closed, or it cannot be watched, it ends the member; the error says what went wrong.
func (p *Pool) insert(m *member, next bool) error {
	watched, err := p.tryInsert(m, next)
	if watched {
		return nil
	}
	_, failed := m.end() // without the lock: it may take a while
	return joinErrors(err, failed)
}

func (p *Pool) tryInsert(m *member, next bool) (watched bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.size { // another one has taken the place of a member that a start held
		return false, nil
	}
	if err := p.watch(m); err != nil {
		return false, err
	}
	at := len(p.idle)
	if next {
		at = 0
	}
	p.idle = slices.Insert(p.idle, at, m)
	return true, nil
}

// take returns a member for a start, which owns it from now on; nil if there is none.
func (p *Pool) take(cfg *Config) *member {
	if p == nil {
		return nil
	}
	for {
		m := p.oldest()
		if m == nil {
			return nil
		}
		_ = m.unwatch()
		sees := m.sees(&cfg.Container)
		if m.ended() { // only now, because it saw nothing any more
			p.bury(m)
			continue
		}
		if sees {
			return m
		}
		// Others are probably as old, but perhaps this start alone is about files that no member will see.
		_, err := m.end()
		p.mu.Lock()
		p.stats.Stale++
		if err != nil {
			p.stats.Err = err
		}
		p.mu.Unlock()
		return nil
	}
}

// oldest takes the oldest member out of the list.
func (p *Pool) oldest() *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	m := p.idle[0]
	p.idle = slices.Delete(p.idle, 0, 1)
	p.notify()
	return m
}

// ended is called when a member has ended while it waited.
func (p *Pool) ended(m *member) {
	p.mu.Lock()
	i := slices.Index(p.idle, m)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 { // otherwise whoever took it takes care of it
		p.bury(m)
	}
}

// bury gives up a member that has ended while it waited.
func (p *Pool) bury(m *member) {
	status, failed := m.end()
	p.lost(m, joinErrors(fmt.Errorf("pool: a waiting child ended: %s", describeEnd(status)), failed))
	p.wake()
}

// lost notes the loss of a member.
func (p *Pool) lost(m *member, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(m.made) > mostDelay {
		p.endings = 0 // it was well for long
	}
	p.stats.Lost++
	p.endings++
	p.stats.Err = err
	p.notify()
}

// wake lets refill look for room.
func (p *Pool) wake() {
	select {
	case p.room <- struct{}{}:
	default:
	}
}

// notify wakes those who wait for a change. The caller holds mu.
func (p *Pool) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}
