package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/tools/vm/job"
)

// drain bounds the wait for the rest of a job's output: a process that the job left behind may keep the pipe open
// forever.
const drain = 2 * time.Second

// runJob runs one job and returns its status in the form that a shell uses. The output goes to a pipe and not
// directly to the console, so that no test runs on a terminal.
func runJob(console io.Writer, j job.Job) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 1, err
	}
	defer r.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		w.Close()
		return 1, err
	}
	p, err := os.StartProcess(j.Args[0], j.Args, &os.ProcAttr{Dir: j.Dir, Env: environment(),
		Files: []*os.File{null, w, w}})
	null.Close()
	w.Close()
	if err != nil {
		return 127, err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(console, r)
	}()
	status, err := reap(p.Pid)
	_ = p.Release()
	_ = r.SetReadDeadline(time.Now().Add(drain))
	<-copied
	return status, err
}

// endings is a Writer that remembers whether the last line has ended.
type endings struct {
	io.Writer
	open bool
}

func (e *endings) Write(p []byte) (int, error) {
	if len(p) > 0 {
		e.open = p[len(p)-1] != '\n'
	}
	return e.Writer.Write(p)
}

// finish ends the line, so that the guest's own lines begin where the host looks for them.
func (e *endings) finish() {
	if e.open {
		_, _ = e.Write([]byte("\n"))
	}
}

// reap waits for the process, and for every orphan that ends before it: process 1 inherits the orphans.
func reap(pid int) (int, error) {
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR || err == nil && got != pid:
			continue
		case err != nil:
			return 1, fmt.Errorf("waiting for process %d: %w", pid, err)
		case ws.Signaled():
			return 128 + int(ws.Signal()), nil
		}
		return ws.ExitStatus(), nil
	}
}

// shell runs a shell on the console, for a person.
func shell(console *os.File) error {
	attr := &os.ProcAttr{
		Dir: job.Source, Env: environment(), Files: []*os.File{console, console, console},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	}
	p, err := os.StartProcess("/bin/bash", []string{"bash"}, attr)
	if err != nil {
		return err
	}
	_, err = reap(p.Pid)
	return err
}
