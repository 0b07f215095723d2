package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// jsonStream is what a careful program without a library does: values of encoding/json one after the other on a stream. The order of the messages is in the code of both sides.
type jsonStream struct{}

// jsonMessage is one of its messages.
type jsonMessage struct {
	Type   string            `json:"type"`
	Path   string            `json:"path,omitempty"`
	Config *container.Config `json:"config,omitempty"`
}

// stream takes the socket for the poller: the cheapest io.ReadWriteCloser that the library has.
func stream(fd int) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "conversation"), nil
}

func (jsonStream) parent(e ends, w *work) error {
	f, err := stream(e.fd)
	if err != nil {
		return err
	}
	defer f.Close()
	enc, dec := json.NewEncoder(f), json.NewDecoder(f)
	if err := enc.Encode(jsonMessage{Type: "config", Config: w.config}); err != nil {
		return err
	}
	said := ""
	for {
		var m jsonMessage
		if err := dec.Decode(&m); err == io.EOF && said == "exec" {
			return nil
		} else if err != nil {
			return fmt.Errorf("after %q: %w", said, err)
		}
		said = m.Type
		switch said {
		case "configured", "exec":
			continue
		case container.ConsoleRequest.Request:
			fds, err := beside(e)
			if err == nil {
				err = w.console(m.Path, fds)
			}
			if err != nil {
				return err
			}
		}
		if err := enc.Encode(jsonMessage{Type: "done"}); err != nil {
			return err
		}
	}
}

func (jsonStream) child(e ends, w *work) error {
	f, err := stream(e.fd)
	if err != nil {
		return err
	}
	defer f.Close()
	enc, dec := json.NewEncoder(f), json.NewDecoder(f)
	var m jsonMessage
	if err := dec.Decode(&m); err != nil {
		return err
	}
	if m.Config == nil {
		return errors.New("no configuration arrived")
	}
	if err := w.arrived(m.Config); err != nil {
		return err
	}
	if err := enc.Encode(jsonMessage{Type: "configured"}); err != nil {
		return err
	}
	requests := []jsonMessage{
		{Type: container.HooksRequest.Request},
		{Type: container.ConsoleRequest.Request, Path: consolePath},
		{Type: container.ReadyRequest.Request},
	}
	for _, m := range requests {
		if m.Type == container.ConsoleRequest.Request {
			if err := handOver(e, w); err != nil {
				return err
			}
		}
		if err := enc.Encode(m); err != nil {
			return err
		}
		var reply jsonMessage
		if err := dec.Decode(&reply); err != nil {
			return err
		}
	}
	return enc.Encode(jsonMessage{Type: "exec"})
}

// handOver sends the terminal over the second socket, for those whose connection cannot carry a descriptor; beside takes it there.
func handOver(e ends, w *work) error {
	var m message
	return m.send(e.extra, []byte{1}, 1, w.terminal)
}

func beside(e ends) ([]int, error) {
	var m message
	var b [1]byte
	return m.receive(e.extra, b[:])
}
