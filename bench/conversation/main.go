// Command conversation measures the conversation of handfast beside its bare system calls, and beside alternatives: one
// host, one run, each contender in turn. The README.md in the directory above says what is measured and how to read it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// childCommand makes this program the child of a contender.
const childCommand = "child"

type options struct {
	rounds, warmup, conversations int
}

func main() {
	var err error
	if len(os.Args) == 3 && os.Args[1] == childCommand {
		err = child(os.Args[2])
	} else {
		var o options
		flag.IntVar(&o.rounds, "rounds", 50, "how many samples of each contender")
		flag.IntVar(&o.warmup, "warmup", 3, "how many rounds before the first sample")
		flag.IntVar(&o.conversations, "conversations", 20, "how many conversations make a sample")
		flag.Parse()
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conversation:", err)
		os.Exit(1)
	}
}

// child is the process on the other side of a contender.
func child(name string) error {
	w, err := newWork(terminalFD)
	if err != nil {
		return err
	}
	for _, c := range contenders() {
		if c.name == name {
			return serve(c.talker, w)
		}
	}
	return fmt.Errorf("no contender %q", name)
}

func run(o options) (err error) {
	if flag.NArg() > 0 || o.rounds < 1 || o.warmup < 0 || o.conversations < 1 {
		return errors.New("usage: conversation [-rounds N] [-warmup N] [-conversations N], all positive")
	}
	terminal, err := unix.MemfdCreate("terminal", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(terminal)
	w, err := newWork(terminal)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "conversation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tables, err := newTables(contenders(), w, dir)
	defer func() {
		for _, t := range tables {
			err = errors.Join(err, t.stop())
		}
	}()
	if err != nil {
		return err
	}
	for _, t := range tables {
		if _, err := t.talk(true); err != nil {
			return err
		}
	}
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	if err := contest(tables, o.warmup, o.rounds, o.conversations, func() error {
		select {
		case s := <-interrupt:
			return fmt.Errorf("stopped by %v", s)
		default:
			return nil
		}
	}); err != nil {
		return err
	}
	fmt.Print(newReport(tables, o).Text())
	return nil
}

func newWork(terminal int) (*work, error) {
	config, err := configuration()
	if err != nil {
		return nil, err
	}
	return &work{config: config, terminal: terminal}, nil
}

// newTables returns tables with a partner for every contender in both settings. It builds the floor in dir.
func newTables(all []contender, w *work, dir string) (tables []*table, err error) {
	program, err := buildFloor(dir)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		for _, s := range []setting{goroutines, processes} {
			if c.memory && s == processes {
				continue
			}
			t := &table{contender: c, setting: s, work: *w}
			switch {
			case c.copies != nil:
				var frames []frame
				if frames, err = record(w, c.copies); err == nil {
					t.native, err = newFloor(program, s, c.socket, c.pinned, frames)
				}
			case s == goroutines:
				t.partner = newNeighbour(c.talker, *w)
			default:
				t.partner, err = newStranger(c.name, w)
			}
			if err != nil {
				return tables, err
			}
			tables = append(tables, t)
		}
	}
	return tables, nil
}
