package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// This file has the parents of the generations, each in as few lines as possible: what they read and wrote, in their
// order, with encoding/json as they used it, and with their mistakes.

// genericError is the error that was sent over the socket, without its cause.
type genericError struct {
	Timestamp time.Time
	ECode     int
	Err       error `json:"-"`
	Cause     string
	Message   string
	Stack     struct {
		Frames []struct {
			File, Function, Package string
			Line                    int
		}
	}
}

func (e *genericError) Error() string { return e.Message }

// The numbers of the types. In G2 run was 3 for four days, and G3a used 3 for hooks.
const (
	ready, failed, started, runG2 = 0, 1, 2, 3

	run, hooks, resume = 2, 3, 4
)

// syncT is the message of G2 and G3a, syncS that of G3b.
type (
	syncT struct {
		Type int `json:"type"`
	}
	syncS struct {
		Type string `json:"type"`
	}
)

func writeSync(e *end, typ any) error {
	b, err := json.Marshal(map[string]any{"type": typ})
	if err == nil {
		_, err = e.Write(b)
	}
	return err
}

// parentG1 sends the configuration, closes its direction, and treats end of file as success.
func parentG1(e *end, config []byte) error {
	if _, err := e.Write(config); err != nil {
		return err
	}
	if err := e.shut(); err != nil {
		return err
	}
	var ierr *genericError
	if err := json.NewDecoder(e).Decode(&ierr); err != nil && err != io.EOF {
		return fmt.Errorf("read parent: %w", err)
	}
	if ierr != nil {
		return ierr
	}
	return nil
}

// parentG2 creates a decoder for each message, and uses one variable for all of them.
func parentG2(e *end, config []byte) error {
	if _, err := e.Write(config); err != nil {
		return err
	}
	sentRun := false
	var procSync syncT
loop:
	for {
		if err := json.NewDecoder(e).Decode(&procSync); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		switch procSync.Type {
		case started:
			break loop
		case ready:
			if err := writeSync(e, runG2); err != nil {
				return err
			}
			sentRun = true
		case failed:
			var ierr *genericError
			if err := json.NewDecoder(e).Decode(&ierr); err != nil && err != io.EOF {
				return err
			}
			if ierr != nil {
				return ierr
			}
			panic("No error following JSON procError payload.")
		}
	}
	if !sentRun {
		return errors.New("could not synchronise with container process")
	}
	return nil
}

// boot is the opening of G3: a blob for the code that runs before the runtime, and its reply.
func boot(e *end, blob, config []byte) (*json.Decoder, error) {
	if _, err := e.Write(blob); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(e)
	var pid struct {
		Pid int `json:"pid"`
	}
	if err := dec.Decode(&pid); err != nil {
		return nil, err
	}
	_, err := e.Write(config)
	return dec, err
}

// parentG3a runs the hooks at any time, as often as the child asks for it.
func parentG3a(e *end, blob, config []byte, hook func()) error {
	dec, err := boot(e, blob, config)
	if err != nil {
		return err
	}
	sentRun, sentResume := false, false
	var ierr *genericError
	for ierr == nil {
		var procSync syncT
		if err := dec.Decode(&procSync); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		switch procSync.Type {
		case ready:
			if err := writeSync(e, run); err != nil {
				return fmt.Errorf("reading syncT %d: %w", run, err) // the message says reading
			}
			sentRun = true
		case hooks:
			hook()
			if err := writeSync(e, resume); err != nil {
				return err
			}
			sentResume = true
		case failed:
			if err := dec.Decode(&ierr); err != nil && err != io.EOF {
				return err
			}
			if ierr == nil {
				panic("No error following JSON procError payload.")
			}
		}
	}
	if ierr != nil {
		return ierr
	}
	if !sentRun || !sentResume {
		return fmt.Errorf("could not synchronise with container process: %s", typedNil(ierr).Error())
	}
	return nil
}

// typedNil is the cause that newSystemErrorWithCause got: a non-nil interface with a nil pointer.
func typedNil(e *genericError) error { return e }

// setnsG3a only expects an error without a type.
func setnsG3a(e *end, blob, config []byte) error {
	dec, err := boot(e, blob, config)
	if err == nil {
		err = e.shut()
	}
	if err != nil {
		return err
	}
	var ierr *genericError
	if err := dec.Decode(&ierr); err != nil && err != io.EOF {
		return fmt.Errorf("decoding init error from pipe: %w", err)
	}
	if ierr != nil {
		return ierr
	}
	return nil
}

// parentG3b reads all messages with one decoder, and a descriptor without it. A child that joins a container must not
// send ready.
func parentG3b(e *end, blob, config []byte, setns bool) error {
	dec, err := boot(e, blob, config)
	if err != nil {
		return err
	}
	var ierr *genericError
	for ierr == nil {
		var procSync syncS
		if err := dec.Decode(&procSync); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		answer := ""
		switch procSync.Type {
		case "procConsole":
			if err := writeSync(e, "procConsoleReq"); err != nil {
				return err
			}
			if err := takeConsole(e); err != nil {
				return err
			}
			answer = "procConsoleAck"
		case "procHooks", "procReady":
			if setns {
				panic("unexpected " + procSync.Type + " in setns")
			}
			answer = map[string]string{"procHooks": "procResume", "procReady": "procRun"}[procSync.Type]
		case "procError":
			if err := dec.Decode(&ierr); err != nil {
				return err
			}
			continue
		}
		if err := writeSync(e, answer); err != nil {
			return err
		}
		if setns {
			_ = e.shut()
		}
	}
	if ierr != nil {
		return ierr
	}
	return nil
}

func takeConsole(e *end) error {
	_, fds, err := e.receive(make([]byte, 4096))
	if err == nil && len(fds) != 1 {
		err = fmt.Errorf("received %d descriptors, want one", len(fds))
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return err
}

// survive calls f, and returns a panic as an error.
func survive(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// historic returns the result of a generation's parent for a conversation, in the words of a transcript.
func historic(tr transcript, e *end) string {
	var config, blob []byte
	for _, l := range tr.lines {
		switch l.class() {
		case theConfig:
			config = l.bytes
		case theBlob:
			blob = l.bytes
		}
	}
	err := survive(func() error {
		switch tr.profile {
		case "g1":
			return parentG1(e, config)
		case "g2":
			return parentG2(e, config)
		case "g3a":
			return parentG3a(e, blob, config, func() {})
		case "g3a-setns":
			return setnsG3a(e, blob, config)
		case "g3b":
			return parentG3b(e, blob, config, false)
		case "g3b-setns":
			return parentG3b(e, blob, config, true)
		}
		return errors.New("no such parent")
	})
	var ierr *genericError
	switch {
	case err == nil:
		return "success"
	case errors.As(err, &ierr):
		return "error: " + ierr.Message
	}
	return "error: " + err.Error()
}

// TestParentsOfThen plays the transcripts with the parents in this file, byte for byte, and compares the verdicts.
func TestParentsOfThen(t *testing.T) {
	for _, tr := range transcripts(t) {
		if tr.profile == "head" {
			continue // its parent is not in this file: TestMistakes shows what is wrong with it
		}
		t.Run(tr.name, func(t *testing.T) {
			parent, child := sockets(t, tr.profile)
			done := make(chan error, 1)
			go func() { done <- child.play(tr) }()
			if got := historic(tr, parent.wire.e); got != tr.historic {
				t.Errorf("%s, want %s", got, tr.historic)
			}
			parent.wire.e.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
