package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A sample is one complete run of one contender.
type sample struct {
	WallNS     int64 `json:"wall_ns"`    // from right before fork until wait4 has returned
	UserUS     int64 `json:"user_us"`    // of the process tree
	SystemUS   int64 `json:"system_us"`  // of the process tree
	PeakKB     int64 `json:"peak_kb"`    // ru_maxrss: the largest process of the tree, in KiB
	Stragglers int   `json:"stragglers"` // processes that outlived the program
}

// A bench is a contender with its meter, a process that waits in the contender's view from the start on.
type bench struct {
	contender
	cmd     *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	stderr  bytes.Buffer
	samples []sample
}

type benches []*bench

// environment is the same short environment for all, because a runtime may read its settings from it.
var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}

// start starts a meter for each contender. Even with an error it returns those that it has started.
func (w *workshop) start() (benches, error) {
	var all benches
	contenders, err := w.contenders()
	if err != nil {
		return nil, err
	}
	for _, c := range contenders {
		b := &bench{contender: c}
		argv := c.argv
		if !c.isMeter {
			argv = slices.Concat(w.meter, c.flags, c.argv)
		}
		argv = c.view.inView(argv)
		b.cmd = exec.Command(argv[0], argv[1:]...)
		b.cmd.Env = environment
		b.cmd.Stderr = &b.stderr
		b.cmd.WaitDelay = 5 * time.Second
		ask, err1 := b.cmd.StdinPipe()
		answers, err2 := b.cmd.StdoutPipe()
		if err := errors.Join(err1, err2, b.cmd.Start()); err != nil {
			return all, fmt.Errorf("%s: %w", c.name, err)
		}
		b.ask, b.answers = ask, bufio.NewReader(answers)
		all = append(all, b)
		if err := c.runOutside(c.prepare); err != nil {
			return all, err
		}
	}
	return all, nil
}

// stop stops the meters and cleans up what was prepared for them. After an error it continues with the others.
func (all benches) stop() error {
	var errs []error
	for _, b := range all {
		b.ask.Close()
		b.cmd.Wait()
		errs = append(errs, b.runOutside(b.cleanup))
	}
	return errors.Join(errs...)
}

// measure runs the warm-up and then the rounds. In each round every contender runs once. The order rotates by one place
// in each round, so that no contender always runs after the same one.
func (all benches) measure(warmup, rounds int, interrupt <-chan os.Signal) error {
	for round := range warmup + rounds {
		for i := range all {
			select {
			case s := <-interrupt:
				return fmt.Errorf("stopped by %v", s)
			default:
			}
			b := all[(i+round)%len(all)]
			s, err := b.once()
			if err != nil {
				return err
			}
			if round >= warmup {
				b.samples = append(b.samples, s)
			}
		}
	}
	return nil
}

func (b *bench) once() (sample, error) {
	if _, err := b.ask.Write([]byte{'x'}); err != nil {
		return sample{}, b.failed(err)
	}
	line, err := b.answers.ReadString('\n')
	if err != nil {
		return sample{}, b.failed(fmt.Errorf("the meter ended: %w", err))
	}
	s, status, err := parseSample(line)
	switch {
	case err != nil:
		return sample{}, b.failed(err)
	case status != 0:
		return sample{}, b.failed(fmt.Errorf("wait status %#x from %s", status, strings.Join(b.argv, " ")))
	}
	return s, nil
}

func (b *bench) failed(err error) error {
	b.ask.Close()
	b.cmd.Wait() // Only after this is its copy of standard error complete.
	return fmt.Errorf("%s: %w\n%s", b.name, err, strings.TrimSpace(b.stderr.String()))
}

// parseSample reads a line of the meter; bench/meter/meter.c describes its fields.
func parseSample(line string) (s sample, status int, err error) {
	_, err = fmt.Sscan(line, &s.WallNS, &s.UserUS, &s.SystemUS, &s.PeakKB, &status, &s.Stragglers)
	if err != nil {
		err = fmt.Errorf("the meter said %q: %w", line, err)
	}
	return s, status, err
}
