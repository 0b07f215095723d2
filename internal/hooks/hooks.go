// Package hooks runs the hooks that belong to the runtime's side: prestart, createRuntime, poststart and poststop
// (runtime-spec config.md "POSIX-platform Hooks").
package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/interpreter"
	"github.com/handfast/handfast/internal/sysmon"
	"github.com/handfast/handfast/syncproto/container"
)

// linger is how long Run waits for a hook's output after the hook has ended: processes that it left in the background
// may keep the pipe open for ever.
const linger = 100 * time.Millisecond

// Error is a hook that could not be run, failed, or was killed. It wraps the errno of one that could not be started.
type Error struct {
	Kind   string // such as prestart
	Number int    // among those of its kind, from 0
	Path   string
	Err    error
	Output string // the end of what it wrote, standard output and error together
}

// Error returns one line, with the output quoted. It begins with runc's words, including the number.
func (e *Error) Error() string {
	text := fmt.Sprintf("error running %s hook #%d: %s: %v", e.Kind, e.Number, e.Path, e.Err)
	if e.Output != "" {
		text += fmt.Sprintf(": it wrote %q", e.Output)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Input is what every hook of a point of the life cycle gets.
type Input struct {
	// Dir is the working directory. It is ignored if it no longer exists, because hooks also run after the bundle was
	// removed.
	Dir   string
	State []byte // JSON for standard input
	// Stdout and Stderr are files to which the output of the hooks is appended. If they are empty, the output appears only
	// in the error of a hook that fails.
	Stdout, Stderr string
}

// streams opens the files of in. The caller calls done.
func (in *Input) streams(all io.Writer) (stdout, stderr io.Writer, done func(), err error) {
	if in.Stdout == "" && in.Stderr == "" {
		return all, all, func() {}, nil
	}
	both := &locked{w: all}
	var files []*os.File
	done = func() {
		for _, f := range files {
			_ = f.Close()
		}
	}
	open := func(path string) (io.Writer, error) {
		if path == "" {
			return both, nil
		}
		f, err := OpenOutput(path)
		if err != nil {
			return nil, fmt.Errorf("file for the output of hooks: %w", err)
		}
		files = append(files, f)
		return io.MultiWriter(f, both), nil
	}
	if stdout, err = open(in.Stdout); err == nil {
		stderr, err = open(in.Stderr)
	}
	return stdout, stderr, done, err
}

// OpenOutput opens a file to append the output of hooks to, and creates it if it is missing. A FIFO without a reader is
// an error and does not block. The caller closes the file.
func OpenOutput(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0o600)
}

// locked is a writer that two streams share.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// Run runs the hooks of one point of the life cycle in order and stops at the first that fails. name is that point,
// such as createRuntime. A hook without an environment inherits this process's, as with runc. The error is an *Error.
func Run(ctx context.Context, name string, list []container.Hook, in Input) error {
	for i := range list {
		if err := run(ctx, name, i, &list[i], in); err != nil {
			return err
		}
	}
	return nil
}

// RunAll runs every hook, even after one has failed, as for poststop, and returns the errors of those that failed.
func RunAll(ctx context.Context, name string, list []container.Hook, in Input) []error {
	var failed []error
	for i := range list {
		if err := run(ctx, name, i, &list[i], in); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

func run(ctx context.Context, kind string, number int, h *container.Hook, in Input) error {
	var out tail
	fail := func(err error) error {
		return &Error{Kind: kind, Number: number, Path: h.Path, Err: err, Output: out.String()}
	}
	if !strings.HasPrefix(h.Path, "/") {
		return fail(errors.New("the path is not absolute"))
	}
	if h.Timeout > 0 {
		limit := time.Duration(min(h.Timeout, int64(time.Duration(1<<63-1)/time.Second))) * time.Second
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("killed after its timeout of %d s", h.Timeout))
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, h.Path)
	cmd.Args = h.Args
	if len(cmd.Args) == 0 {
		cmd.Args = []string{h.Path}
	}
	if len(h.Env) > 0 || h.NoEnv {
		cmd.Env = append([]string{}, h.Env...) // never nil, which is this process's own environment
	}
	if st, err := os.Stat(in.Dir); in.Dir != "" && err == nil && st.IsDir() {
		cmd.Dir = in.Dir
	}
	cmd.Stdin = bytes.NewReader(in.State)
	stdout, stderr, done, err := in.streams(&out)
	defer done()
	if err != nil {
		return fail(err)
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = linger
	// A process group of its own, so that the processes which the hook has started can be killed with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	err = runCommand(cmd)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil:
		return nil
	case ctx.Err() != nil:
		return fail(context.Cause(ctx))
	}
	var start *os.PathError
	if errors.As(err, &start) && cmd.Process == nil {
		// "fork/exec PATH: errno": the path is in *Error already. Other calls that fail before, such as pipe2, name
		// themselves.
		err = interpreter.Explain(start.Err, h.Path)
	}
	return fail(err)
}

// runCommand is cmd.Run on a thread that has the timer slack of this process's caller.
func runCommand(cmd *exec.Cmd) error {
	started := sysmon.Forking()
	err := cmd.Start()
	started()
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// tail keeps the end of what is written to it.
type tail struct {
	b   []byte
	cut bool
}

// tailLimit is enough for the one or two lines in which programs say why they fail.
const tailLimit = 1024

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-tailLimit):]...)
	if over := len(t.b) - tailLimit; over > 0 || len(p) > tailLimit {
		t.b = append(t.b[:0], t.b[max(0, over):]...)
		t.cut = true
	}
	return len(p), nil
}

// String returns the text without white space at its ends.
func (t *tail) String() string {
	text := strings.TrimSpace(string(t.b))
	if t.cut && text != "" {
		return "..." + text
	}
	return text
}
