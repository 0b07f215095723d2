package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/account"
)

// accountCommand makes this program the one that starts the commands of an account, in their view.
const accountCommand = "account"

// An accounted is the measurement of one command from start to end.
type accounted struct {
	Command string // its name in the account
	Begin   int64  // right before the process is created
	End     int64  // after the wait for it
	Tree    account.Mark
	Marks   []account.Mark
}

// steps returns the commands of one round, in order. Those without a name only prepare the next one.
func (w *workshop) steps(root string) []step {
	handfast := func(args ...string) []string { return append([]string{w.handfast, "--root", root}, args...) }
	id := "account-" + filepath.Base(w.dir)
	return []step{
		{"run", handfast("run", "--bundle", w.bundle, id)},
		{"run --detach", handfast("run", "--detach", "--bundle", w.path("waiting"), id)},
		{"exec", handfast("exec", id, "/bin/true")},
		{"", handfast("delete", "--force", id)},
		{"create", handfast("create", "--bundle", w.path("waiting"), id)},
		{"start", handfast("start", id)},
		{"", handfast("kill", id, "KILL")},
		{"delete", handfast("delete", "--force", id)},
	}
}

type step struct {
	Name string
	Argv []string
}

// accountOf runs the rounds in one view, and returns the measurement of each command in each round.
func (w *workshop) accountOf(v view, warmup, rounds int) ([]accounted, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	plan, err := json.Marshal(w.steps(filepath.Join(w.states, "account-"+string(v))))
	if err != nil {
		return nil, err
	}
	argv := v.inView([]string{self, accountCommand, w.path("marks"), fmt.Sprint(warmup), fmt.Sprint(rounds), string(plan)})
	cmd := exec.Command(argv[0], argv[1:]...)
	var errors strings.Builder
	cmd.Stderr, cmd.Env = &errors, environment
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("account (%s): %w\n%s", v, err, strings.TrimSpace(errors.String()))
	}
	var all []accounted
	return all, json.Unmarshal(out, &all)
}

// accountant is the process that accountOf starts.
func accountant(args []string) int {
	all, err := takeAccount(args)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(all)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func takeAccount(args []string) (all []accounted, err error) {
	var warmup, rounds int
	var steps []step
	if len(args) != 4 {
		return nil, errors.New("account: want a file, two numbers and a plan")
	}
	if _, err := fmt.Sscan(args[1]+" "+args[2], &warmup, &rounds); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(args[3]), &steps); err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	for round := range warmup + rounds {
		for _, s := range steps {
			one, err := accountOne(s, args[0])
			if err != nil {
				return nil, err
			}
			if round >= warmup && s.Name != "" {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// accountOne runs one command. Its streams are a file, because a container that it leaves running would keep a pipe
// open.
func accountOne(s step, marks string) (accounted, error) {
	one := accounted{Command: s.Name}
	log, err := os.OpenFile(marks+".log", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return one, err
	}
	defer log.Close()
	attr := &syscall.ProcAttr{
		Env: append([]string{account.Variable + "=" + marks}, environment...), Files: []uintptr{log.Fd(), log.Fd(), log.Fd()},
	}
	one.Begin = monotonic()
	pid, err := syscall.ForkExec(s.Argv[0], s.Argv, attr)
	if err != nil {
		return one, err
	}
	var status syscall.WaitStatus
	var use syscall.Rusage
	for {
		if _, err = syscall.Wait4(pid, &status, 0, &use); err != syscall.EINTR {
			break
		}
	}
	one.End = monotonic()
	for { // reap what an ended container has left to this process
		if n, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); n <= 0 || err != nil {
			break
		}
	}
	if err != nil || status != 0 {
		text, _ := os.ReadFile(log.Name())
		return one, fmt.Errorf("%s: status %#x, %v\n%s", strings.Join(s.Argv, " "), status, err, text)
	}
	one.Tree = account.Mark{
		NS: one.End, CPUUS: microseconds(use.Utime) + microseconds(use.Stime),
		Voluntary: int64(use.Nvcsw), Involuntary: int64(use.Nivcsw), Faults: int64(use.Minflt),
	}
	text, err := os.ReadFile(marks)
	if err == nil {
		err = json.Unmarshal(text, &one.Marks)
	}
	if err != nil || len(one.Marks) == 0 {
		return one, fmt.Errorf("%s left no marks (is it built with the tag handfast_account?): %w", s.Argv[0], err)
	}
	return one, os.Remove(marks)
}

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}
