//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"math"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/remote"
)

// This file compiles the hooks and the last steps. After the parent's reply to them a whole child can no longer
// take over. Behind a gate, there is also no parent that has the program, so the program itself contains the report
// of each error, in the words of a whole child.

// report is an ERROR that the program may have to send: the place in the program, and what a whole child would say
// for each errno.
type report struct {
	at    smallchild.Label
	err   func(unix.Errno) error
	whole []unix.Errno // the errnos for which the text says more than for others
}

func (readyStep) compile(c *compiler) error { return c.request(container.ReadyRequest) }

func (hooksStep) compile(c *compiler) error {
	c.lastChance()
	return c.request(container.HooksRequest)
}

// lastChance makes what the masks need, before the first request that changes something: it is the last moment at
// which a whole child can take over.
func (c *compiler) lastChance() {
	if len(c.cfg.Masked) > 0 {
		c.covers()
	}
	c.requested = true
}

// request sends a request that consists only of its name, and waits for the reply.
func (c *compiler) request(x syncproto.Exchange[struct{}, struct{}]) error {
	request, err := callPayload(x.Request, struct{}{})
	if err != nil {
		return err
	}
	reply, err := callPayload(x.Reply, struct{}{})
	if err != nil {
		return err
	}
	c.Request(request, reply)
	return nil
}

// callPayload returns the body of a request or a reply.
func callPayload[T any](name string, arg T) (string, error) {
	body := struct { // as syncproto.Call
		Name string `sync:"name"`
		Arg  T      `sync:"arg"`
	}{name, arg}
	b, err := codec.Encode(codec.MessagePack(), nil, &body, syncproto.Limits{})
	return string(b), err
}

func (gateStep) compile(c *compiler) error {
	gate := smallchild.Int(3 + c.cfg.KeepFDs + 1) // see release
	i := c.Call("listen", unix.SYS_LISTEN, gate, smallchild.Int(1))
	c.reported(i, stageGate, func(e unix.Errno) error { return op("listen", "the gate", e) })
	signals := c.endingSignals()
	c.Word()
	c.reported(c.Gate(gate, smallchild.Val(signals)), stageGate, func(e unix.Errno) error {
		return op("accept", "the gate", e)
	})
	i = c.Call("rt_sigprocmask", unix.SYS_RT_SIGPROCMASK, smallchild.Int(unix.SIG_SETMASK), c.signalSet(),
		smallchild.Int(0), smallchild.Int(signalSetSize))
	c.reported(i, stageGate, func(e unix.Errno) error { return op("rt_sigprocmask", "", e) })
	return nil
}

// signalSetSize is the size of a set of signals in the kernel.
const signalSetSize = 8

// endingSignals arranges that the child can be ended at its gate by the signals that end a whole child there, of which
// Go's runtime has handlers: the kernel ignores those of the first process of a pid namespace that have none
// (pid_namespaces(7)), but keeps those that are blocked. The register holds the number of no open descriptor if
// RLIMIT_NOFILE leaves none for that.
func (c *compiler) endingSignals() smallchild.Reg {
	set := c.signalSet(unix.SIGHUP, unix.SIGINT, unix.SIGTERM)
	r, done := c.Reg(), c.Label()
	c.Set(r, smallchild.Int(math.MaxInt32))
	c.Call("rt_sigprocmask", unix.SYS_RT_SIGPROCMASK, smallchild.Int(unix.SIG_BLOCK), set, smallchild.Int(0),
		smallchild.Int(signalSetSize)).On(done)
	c.Call("signalfd4", unix.SYS_SIGNALFD4, smallchild.Int(-1), set, smallchild.Int(signalSetSize),
		smallchild.Int(unix.SFD_CLOEXEC)).On(done).Into(r)
	c.Place(done)
	return r
}

// signalSet returns a set of signals as the kernel has it.
func (c *compiler) signalSet(signals ...syscall.Signal) smallchild.Arg {
	var bits uint64
	for _, s := range signals {
		bits |= 1 << (s - 1)
	}
	return c.Bytes(smallchild.Words(bits), "signals")
}

func (s seccompStep) compile(c *compiler) error {
	if s.early {
		return fmt.Errorf("a filter that is loaded before the execution: %w", ErrWhole)
	}
	if !c.cfg.Process.NoNewPrivs {
		c.raise(unix.CAP_SYS_ADMIN)
	}
	return nil
}

// raise compiles the function raise of a whole child: it makes a permitted capability effective.
func (c *compiler) raise(capability int) {
	have, half := c.Scratch(24), capability/32
	bit := uint64(1) << (capability % 32)
	permitted, done, head := c.Label(), c.Label(), c.capHead()
	i := c.Call("capget", unix.SYS_CAPGET, head, have.At(0))
	c.reported(i, stageSeccomp, func(e unix.Errno) error { return op("capget", "", e) })
	c.IfMem(have.At(12*half+4), bit, bit, permitted)
	c.Jump(done)
	c.Place(permitted)
	c.Or(have.At(12*half), have.At(12*half), c.capWord(bit))
	i = c.Call("capset", unix.SYS_CAPSET, head, have.At(0))
	c.reported(i, stageSeccomp, func(e unix.Errno) error { return op("capset", "", e) })
	c.Place(done)
}

func (execStep) compile(c *compiler) error {
	p := &c.cfg.Process
	args := make([]smallchild.Arg, 0, len(p.Args)+1)
	for _, a := range p.Args {
		args = append(args, c.Str(a))
	}
	env := make([]smallchild.Arg, 0, len(c.env)+2)
	for _, e := range c.env {
		env = append(env, c.Str(e))
	}
	if c.noHome {
		env = append(env, c.home.At(0))
	}
	argv := c.Table("argv", append(args, smallchild.Int(0))...)
	envp := c.Table("envp", append(env, smallchild.Int(0))...)
	if len(c.paths) == 0 {
		return fmt.Errorf("no program: %w", ErrWhole)
	}
	c.Word()
	if f := p.Seccomp; f != nil {
		made := newFilter(f)
		i := c.Call("seccomp", unix.SYS_SECCOMP, smallchild.Int(unix.SECCOMP_SET_MODE_FILTER), smallchild.Int(f.Flags),
			c.filterPointer(f))
		c.reported(i, stageSeccomp, func(e unix.Errno) error { return made.refused(p, e) },
			unix.EACCES, unix.EINVAL, unix.ENOSYS, unix.EBUSY, unix.ENOMEM, unix.EPERM, unix.EFAULT)
	}
	failed := c.Label()
	c.Call("execve", unix.SYS_EXECVE, smallchild.Val(c.program), argv, envp).On(failed)
	c.GiveUp()
	c.Place(failed)
	for _, path := range c.paths {
		r := report{at: c.Label(), err: func(e unix.Errno) error {
			return &stepError{Stage: stageExec, Path: path, Err: e}
		}}
		c.reports = append(c.reports, r)
		c.IfIs(c.program, c.Str(path), r.at)
	}
	c.GiveUp()
	return c.sayErrors()
}

// reported arranges that a failure of an instruction is reported in the words of a whole child. whole are the
// errnos for which the text says more than for others. Without a gate, the parent is still there and has the text.
func (c *compiler) reported(i *smallchild.Instr, s stage, err func(unix.Errno) error, whole ...unix.Errno) {
	words := func(e unix.Errno) error { return located(stageOnly(s), err(e)) }
	if c.cfg.GateFD == 0 {
		c.Blame(words)
		return
	}
	r := report{c.Label(), words, whole}
	c.reports = append(c.reports, r)
	i.On(r.at)
}

// stageOnly is a step that exists only to be named in an error.
type stageOnly stage

func (s stageOnly) stage() stage  { return stage(s) }
func (stageOnly) detail() string  { return "" }
func (stageOnly) do(*child) error { return nil }

// likely are the errors that execve(2), seccomp(2), listen(2), accept(2) and the other system calls at the end
// document.
var likely = [...]unix.Errno{
	unix.EPERM, unix.ENOENT, unix.EIO, unix.E2BIG, unix.ENOEXEC, unix.EBADF, unix.EAGAIN, unix.ENOMEM, unix.EACCES,
	unix.EFAULT, unix.EBUSY, unix.ENOTDIR, unix.EISDIR, unix.EINVAL, unix.ENFILE, unix.EMFILE, unix.ETXTBSY, unix.ENOSPC,
	unix.EROFS, unix.ENAMETOOLONG, unix.ENOSYS, unix.ELOOP, unix.ENODEV, unix.ENXIO, unix.ESRCH, unix.EOPNOTSUPP,
	unix.ENOBUFS, unix.ECANCELED, unix.ESTALE, unix.EREMOTEIO, unix.ELIBBAD, unix.ENOTCONN, unix.EPROTO,
	unix.EADDRINUSE, unix.ENOTSOCK,
}

// sayErrors adds the reports. Reports that differ only in the words for the errno share these: they consist of the
// text before them and the text after them.
func (c *compiler) sayErrors() error {
	if c.cfg.GateFD == 0 {
		for _, r := range c.reports {
			c.Place(r.at)
			c.GiveUp()
			c.Blame(r.err)
		}
		return nil
	}
	plain := c.ErrorTexts(errnoWords, likely[:], `an error that the small child does not know","errno":"`)
	for _, r := range c.reports {
		c.Place(r.at)
		if len(r.whole) > 0 {
			if err := c.sayWhole(r); err != nil {
				return err
			}
			continue
		}
		text, err := errorPayload(r.err(unix.ENOENT))
		if err != nil {
			return err
		}
		before, behind, ok := strings.Cut(text, errnoWords(unix.ENOENT))
		if !ok {
			return fmt.Errorf("a report without its errno: %s", text)
		}
		c.Report(before, behind, plain)
	}
	return nil
}

// errnoWords returns the part in which the reports of two errors differ: the end of the last node.
func errnoWords(e unix.Errno) string { return e.Error() + `","errno":"` + unix.ErrnoName(e) }

// sayWhole adds a report whose text depends on the errno in more than the errno's own words.
func (c *compiler) sayWhole(r report) error {
	texts := map[unix.Errno]string{}
	for _, e := range r.whole {
		text, err := errorPayload(r.err(e))
		if err != nil {
			return err
		}
		texts[e] = text
	}
	other, err := errorPayload(r.err(unix.EIO))
	other = strings.Replace(other, errnoWords(unix.EIO), `an error that the small child does not know","errno":"`, 1)
	c.Report("", "", c.ErrorTexts(func(e unix.Errno) string { return texts[e] }, r.whole, other))
	return err
}

// errorPayload returns the body of ERROR.
func errorPayload(err error) (string, error) {
	const most = 2048 // what the small child has room for
	r := remote.Report(err, "")
	r.Role = syncproto.Child.String()
	b, err := codec.Encode(codec.JSON(), nil, &r, syncproto.Limits{})
	if err == nil && len(b) > most {
		err = fmt.Errorf("an error's report of %d bytes: %w", len(b), ErrWhole)
	}
	return string(b), err
}
