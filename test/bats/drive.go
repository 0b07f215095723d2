package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/handfast/handfast/internal/testenv/pty"
	"github.com/handfast/handfast/internal/testenv/room"
	"github.com/handfast/handfast/internal/testenv/table"
	"github.com/handfast/handfast/internal/testenv/tap"
)

// insideArg is the first argument of the process that runs a file of tests in its room.
const insideArg = "inside"

// runBoth runs a file of tests with both runtimes, one after the other: some tests are about time.
//
// Some race with their own helpers. So what fails with one runtime and passes with the other is run again with the one,
// and the second result counts.
func runBoth(ctx context.Context, s *suite, file string, o options) (control, candidate []tap.Assertion) {
	control, candidate = runFile(ctx, s, file, "runc", s.runc, o), runFile(ctx, s, file, "handfast", o.handfast, o)
	again := func(mine, other []tap.Assertion, name, runtime string) []tap.Assertion {
		if o.filter = differing(mine, other); o.filter == "" || ctx.Err() != nil {
			return mine
		}
		return replace(mine, runFile(ctx, s, file, name+"-again", runtime, o))
	}
	return again(control, candidate, "runc", s.runc), again(candidate, control, "handfast", o.handfast)
}

// differing returns a regular expression for the names of the tests that fail in mine and pass in other, or "".
func differing(mine, other []tap.Assertion) string {
	var names []string
	for _, t := range mine {
		if !t.OK && passed(other, table.Plain(t.Text)) {
			names = append(names, regexp.QuoteMeta(t.Text))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "^(" + strings.Join(names, "|") + ") *$"
}

// replace returns the results of the first run with those of the second in their places.
func replace(first, second []tap.Assertion) []tap.Assertion {
	all := slices.Clone(first)
	for i, t := range all {
		if n := slices.IndexFunc(second, func(s tap.Assertion) bool { return s.Text == t.Text }); n >= 0 {
			all[i] = second[n]
		}
	}
	return all
}

func runFile(ctx context.Context, s *suite, file, name, runtime string, o options) []tap.Assertion {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	temporary, err := os.MkdirTemp(s.dir, "tmp")
	if err != nil {
		return []tap.Assertion{{Text: err.Error()}}
	}
	defer os.RemoveAll(temporary)
	if err := os.Chmod(temporary, 0o755); err != nil {
		return []tap.Assertion{{Text: err.Error()}}
	}
	stdout, stderr, err := room.Room{
		Name: file + "-" + name, Network: true, Dir: s.dir,
		Args: []string{"/proc/self/exe", insideArg, filepath.Join("tests/integration", file+".bats"), o.filter,
			strconv.FormatBool(o.user)},
		Env: []string{"RUNC=" + runtime, "TMPDIR=" + temporary},
	}.Run(ctx)
	all := tap.Parse(string(stdout))
	if ctx.Err() != nil {
		all = append(all, tap.Assertion{Text: "ended: " + ctx.Err().Error()})
	}
	if o.output != "" {
		text := fmt.Sprintf("%s\n--- standard error\n%s\n--- %v\n", stdout, stderr, err)
		path := filepath.Join(o.output, file+"-"+name+".tap")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			all = append(all, tap.Assertion{Text: err.Error()})
		}
	}
	return all
}

// realtime is the realtime budget, in microseconds of a second, that the room's group needs for update.bats. The kernel
// gives a new group none.
const realtime = "900000"

// inside is the program in the room. It runs bats with a terminal, on which some tests show a container's.
func inside(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%d arguments", len(args))
	}
	if filepath.Base(args[0]) == "update.bats" {
		// Without the budget, which not every host has, its test of that fails with both runtimes.
		_ = os.WriteFile("/sys/fs/cgroup/cpu/cpu.rt_runtime_us", []byte(realtime), 0)
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("bringing lo up: %w: %s", err, out)
	}
	user, terminal, err := pty.Open()
	if err != nil {
		return err
	}
	go io.Copy(io.Discard, user) //nolint:errcheck // ends with this process
	command := []string{"--tap", "--print-output-on-failure"}
	if args[1] != "" {
		command = append(command, "--filter", args[1])
	}
	cmd := exec.Command("bats", append(command, args[0])...)
	out := newProgress(os.Stdout)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if args[2] == "true" {
		credential, env, err := becomeUser(os.Getenv("TMPDIR"), terminal)
		if err != nil {
			return err
		}
		cmd.SysProcAttr.Credential, cmd.Env = credential, append(os.Environ(), env...)
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-out.complete:
		// A helper that a test has left behind keeps the output open, and bats waits for it.
		select {
		case err = <-ended:
		case <-time.After(rest):
		}
	}
	return err
}

// rest is how long bats may take to end after the last result, whose comments come behind it.
const rest = 10 * time.Second

// progress passes on what bats prints, and finds out when every test of the plan has a result.
type progress struct {
	to       io.Writer
	line     []byte
	planned  int // -1: not known yet
	results  int
	complete chan struct{} // closed then
}

func newProgress(to io.Writer) *progress {
	return &progress{to: to, planned: -1, complete: make(chan struct{})}
}

func (p *progress) Write(b []byte) (int, error) {
	for _, c := range b {
		if c != '\n' {
			p.line = append(p.line, c)
			continue
		}
		p.take(string(p.line))
		p.line = p.line[:0]
	}
	return p.to.Write(b)
}

// take counts a line.
func (p *progress) take(line string) {
	before := p.results == p.planned
	if plan, ok := strings.CutPrefix(line, "1.."); ok && p.planned < 0 {
		if n, err := strconv.Atoi(plan); err == nil {
			p.planned = n
		}
	} else if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "not ok ") {
		p.results++
	}
	if !before && p.results == p.planned {
		close(p.complete)
	}
}
