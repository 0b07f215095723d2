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

// jsonStream is what a careful program does without a library: values of encoding/json one after the other on a stream.
// The order of the messages is in the code of both sides.
type jsonStream struct{}

// jsonMessage is one of its messages.
type jsonMessage struct {
	Type   string            `json:"type"`
	Path   string            `json:"path,omitempty"`
	Config *container.Config `json:"config,omitempty"`
}

// jsonConn is a stream of messages, with a deadline for each. Fields that jsonMessage does not have are an error.
type jsonConn struct {
	f   *os.File
	enc *json.Encoder
	dec *json.Decoder
}

func newJSONConn(f *os.File) jsonConn {
	c := jsonConn{f, json.NewEncoder(f), json.NewDecoder(f)}
	c.dec.DisallowUnknownFields()
	return c
}

func (c jsonConn) send(m jsonMessage) error {
	if err := setDeadline(c.f); err != nil {
		return err
	}
	return c.enc.Encode(m)
}

func (c jsonConn) receive(m *jsonMessage) error {
	if err := setDeadline(c.f); err != nil {
		return err
	}
	return c.dec.Decode(m)
}

// want receives a message of one type.
func (c jsonConn) want(m *jsonMessage, typ string) error {
	err := c.receive(m)
	if err == nil && m.Type != typ {
		err = fmt.Errorf("a message of the type %q, want %q", m.Type, typ)
	}
	return err
}

// stream makes a file with the poller from the socket: the cheapest io.ReadWriteCloser of the standard library.
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
	c := newJSONConn(f)
	if err := c.send(jsonMessage{Type: "config", Config: w.config}); err != nil {
		return err
	}
	var m jsonMessage
	if err := c.want(&m, "configured"); err != nil {
		return err
	}
	var o order
	for {
		var m jsonMessage
		if err := c.receive(&m); err == io.EOF {
			return o.ended()
		} else if err != nil {
			return err
		}
		if err := o.takes(m.Type); err != nil {
			return err
		}
		switch m.Type {
		case execName:
			continue
		case container.ConsoleRequest.Request:
			fds, err := receiveExtra(e)
			if err == nil {
				err = w.console(m.Path, fds)
			}
			if err != nil {
				return err
			}
		}
		if err := c.send(jsonMessage{Type: "done"}); err != nil {
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
	c := newJSONConn(f)
	var m jsonMessage
	if err := c.want(&m, "config"); err != nil {
		return err
	}
	if m.Config == nil {
		return errors.New("no configuration arrived")
	}
	if err := w.checkConfig(m.Config); err != nil {
		return err
	}
	if err := c.send(jsonMessage{Type: "configured"}); err != nil {
		return err
	}
	requests := []jsonMessage{
		{Type: container.HooksRequest.Request},
		{Type: container.ConsoleRequest.Request, Path: consolePath},
		{Type: container.ReadyRequest.Request},
	}
	for _, m := range requests {
		if m.Type == container.ConsoleRequest.Request {
			if err := sendExtra(e, w); err != nil {
				return err
			}
		}
		if err := c.send(m); err != nil {
			return err
		}
		var reply jsonMessage
		if err := c.want(&reply, "done"); err != nil {
			return err
		}
	}
	return c.send(jsonMessage{Type: execName})
}
