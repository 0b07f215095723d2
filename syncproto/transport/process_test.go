package transport_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

func init() {
	helpers["execute"] = func() { // ends as a program that exits with status 7
		runChild(func(ctx context.Context, c *transport.Child) error {
			if _, _, err := c.Call(ctx, "ready", syncproto.Value{}); err != nil {
				return err
			}
			if err := c.Exec(ctx); err != nil {
				return err
			}
			return unix.Exec("/bin/sh", []string{"sh", "-c", "exit 7"}, os.Environ())
		})
	}
	helpers["execute cat"] = func() { // ends as a program that goes on for as long as its standard input does
		runChild(func(ctx context.Context, c *transport.Child) error {
			if _, _, err := c.Call(ctx, "ready", syncproto.Value{}); err != nil {
				return err
			}
			if err := c.Exec(ctx); err != nil {
				return err
			}
			return unix.Exec("/bin/cat", []string{"cat"}, os.Environ())
		})
	}
	helpers["fail"] = func() { // reports an error, and ends with a status of its own a while later
		runChild(func(context.Context, *transport.Child) error { return unix.EDQUOT })
		time.Sleep(50 * time.Millisecond)
		os.Exit(9)
	}
	helpers["die"] = func() {
		runChild(func(context.Context, *transport.Child) error { os.Exit(5); return nil })
	}
	helpers["wait"] = func() { // for ever, with its socket open
		runChild(func(ctx context.Context, c *transport.Child) error {
			_, _, err := c.Call(ctx, "ready", syncproto.Value{})
			time.Sleep(time.Hour)
			return err
		})
	}
	helpers["leak output"] = func() { // dies, and leaves standard output to a process that lives as long as its input
		runChild(func(context.Context, *transport.Child) error {
			if err := leakOutput(); err != nil {
				return err
			}
			os.Exit(5)
			return nil
		})
	}
	helpers["leak output and execute"] = func() {
		runChild(func(ctx context.Context, c *transport.Child) error {
			if _, _, err := c.Call(ctx, "ready", syncproto.Value{}); err != nil {
				return err
			}
			if err := errors.Join(leakOutput(), c.Exec(ctx)); err != nil {
				return err
			}
			return unix.Exec("/bin/sleep", []string{"sleep", "1000"}, os.Environ())
		})
	}
	helpers["leak"] = func() { // dies, and leaves its socket to a process that lives as long as standard input
		dup, err := unix.Dup(3) // without FD_CLOEXEC
		if err != nil {
			os.Exit(6)
		}
		runChild(func(context.Context, *transport.Child) error {
			cmd := exec.Command("/bin/cat")
			cmd.Stdin, cmd.ExtraFiles = os.Stdin, []*os.File{os.NewFile(uintptr(dup), "copy")}
			if err := cmd.Start(); err != nil {
				return err
			}
			os.Exit(5)
			return nil
		})
	}
}

func leakOutput() error {
	cmd := exec.Command("/bin/cat")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	return cmd.Start()
}

// command is this test binary as another program, to be started by StartCommand.
func command(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	cmd := helper(t, name)
	cmd.Env = append(os.Environ(), helperVariable+"="+name)
	return cmd
}

// startCommand starts one with deadlines that are not waited for.
func startCommand(t *testing.T, cmd *exec.Cmd) *transport.Process {
	t.Helper()
	p, err := transport.StartCommand(cmd, "HANDFAST_SOCKET", container.InitProfile(),
		transport.Options{Deadlines: patient()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// converse opens and serves until the end, which it returns.
func converse(t *testing.T, p *transport.Process) error {
	t.Helper()
	err := p.Open(t.Context(), syncproto.MapValue(), nil)
	if err == nil {
		err = replyToAll(t, p.Parent)
	}
	return err
}

// status is how a command has ended; -1 is by a signal.
func status(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("%v is no end of a process", err)
		return 0
	}
	return exit.ExitCode()
}

func TestStartCommandToTheEndOfTheProgram(t *testing.T) {
	cmd := command(t, "execute")
	cmd.ExtraFiles = []*os.File{os.Stderr}
	env := len(cmd.Env)
	p := startCommand(t, cmd)
	if len(cmd.ExtraFiles) != 1 || len(cmd.Env) != env {
		t.Errorf("the command was changed: %d files, %d variables", len(cmd.ExtraFiles), len(cmd.Env))
	}
	if err := converse(t, p); err != io.EOF {
		t.Fatal(err)
	}
	var noContext context.Context
	if err := p.Wait(noContext); status(t, err) != 7 {
		t.Error(err)
	}
	if err := p.Wait(t.Context()); status(t, err) != 7 {
		t.Errorf("once more: %v", err)
	}
	if err := p.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closing after it: %v", err)
	}
}

// A success lets the program go on, Close or not, until the context of Wait ends.
func TestAfterSuccessTheProgramGoesOn(t *testing.T) {
	for _, closed := range []bool{false, true} {
		cmd := command(t, "execute cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p := startCommand(t, cmd)
		if err := converse(t, p); err != io.EOF {
			t.Fatal(err)
		}
		if closed {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := cmd.Process.Signal(unix.Signal(0)); err != nil {
			t.Errorf("the program is gone: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		boring := errors.New("this takes too long")
		cancel(boring)
		if err := p.Wait(ctx); status(t, err) != -1 || !errors.Is(err, boring) {
			t.Error(err)
		}
		_ = in.Close()
	}
}

// What fails ends by itself where it can, and is dead and waited for after Close in every case.
func TestCloseEndsTheProcessOfAFailure(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ends   syncproto.Outcome // of the conversation
		status int
		how    func(t *testing.T, p *transport.Process) error
	}{
		{"fail", syncproto.PeerError, 9, converse},
		{"die", syncproto.Died, 5, converse},
		{"leak", syncproto.Died, 5, converse},
		{"wait", syncproto.LocalError, -1, func(t *testing.T, p *transport.Process) error {
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				_, err = p.Next(t.Context())
			}
			if err != nil {
				return err
			}
			p.Cmd.Process.Kill()
			return p.Abort(t.Context(), unix.ENOSPC)
		}},
		{"wait", syncproto.Undecided, -1, func(t *testing.T, p *transport.Process) error {
			return p.Open(t.Context(), syncproto.MapValue(), nil)
		}},
		{"stopped", syncproto.Cancelled, -1, func(t *testing.T, p *transport.Process) error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				_, err = p.Next(ctx)
			}
			return err
		}},
	} {
		cmd := command(t, tt.name)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		o := transport.Options{Deadlines: patient()}
		if tt.ends == syncproto.Cancelled {
			o.Deadlines.Grace = time.Millisecond
		}
		p, err := transport.StartCommand(cmd, "HANDFAST_SOCKET", container.InitProfile(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.how(t, p); ended(err) != tt.ends {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.ends)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%s: closing: %v", tt.name, err)
		}
		if cmd.ProcessState == nil {
			t.Errorf("%s: nobody has waited for it", tt.name)
		}
		if err := p.Wait(t.Context()); status(t, err) != tt.status {
			t.Errorf("%s: %v, want status %d", tt.name, err, tt.status)
		}
		_ = in.Close()
	}
}

// A process that has left its standard output to another one does not keep Close or Wait from returning: neither after
// a failure, nor when it was killed after a success. The other one lives until the test closes its standard input.
func TestOutputThatIsLeftOpen(t *testing.T) {
	for _, success := range []bool{false, true} {
		in, hold, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		name, want := "leak output", syncproto.Died
		if success {
			name, want = "leak output and execute", syncproto.Success
		}
		cmd := command(t, name)
		var out strings.Builder
		cmd.Stdin, cmd.Stdout = in, &out
		d := patient()
		d.Grace = 20 * time.Millisecond
		p, err := transport.StartCommand(cmd, "HANDFAST_SOCKET", container.InitProfile(), transport.Options{Deadlines: d})
		if err != nil {
			t.Fatal(err)
		}
		_ = in.Close()
		if err := converse(t, p); p.Verdict().Outcome != want {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err = p.Wait(ctx)
		cancel()
		if success && (status(t, err) != -1 || !errors.Is(err, context.DeadlineExceeded)) || !success && status(t, err) != 5 {
			t.Errorf("success %v: %v", success, err)
		}
		_ = p.Close()
		_ = hold.Close()
	}
}

func TestStartCommandRefuses(t *testing.T) {
	missing, nobody, used := exec.Command("/no/such/program"), command(t, "die"), exec.Command("/bin/true")
	if err := used.Run(); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	profile := container.InitProfile()
	for _, tt := range []struct {
		cmd     *exec.Cmd
		socket  string
		profile *syncproto.Profile
		o       transport.Options
		want    string
	}{
		{missing, "S", profile, transport.Options{}, "no such file"},
		{nil, "S", profile, transport.Options{}, "no command"},
		{nobody, "", profile, transport.Options{}, "no environment variable"},
		{nobody, "S", nil, transport.Options{}, "profile"},
		{nobody, "S", profile, transport.Options{Process: null}, "Options.Process is set"},
		{used, "S", profile, transport.Options{}, "already started"},
	} {
		before := openFDs(t)
		p, err := transport.StartCommand(tt.cmd, tt.socket, tt.profile, tt.o)
		if p != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("want %q: %v", tt.want, err)
		}
		if tt.cmd == missing && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
		if nobody.Process != nil {
			t.Errorf("want %q: a process was started", tt.want)
		}
		if after := openFDs(t); after != before {
			t.Errorf("want %q: %d descriptors became %d", tt.want, before, after)
		}
	}
}

// Close by another goroutine ends a call that waits, and the process.
func TestCloseOfAProcessDuringACall(t *testing.T) {
	p := startCommand(t, command(t, "wait"))
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Reply(t.Context(), syncproto.Value{}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := p.Next(t.Context())
		done <- err
	}()
	_ = p.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if p.Cmd.ProcessState == nil {
		t.Error("nobody has waited for it")
	}
}
