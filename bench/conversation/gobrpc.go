package main

import (
	"errors"
	"net/rpc"
	"os"

	"github.com/handfast/handfast/syncproto/container"
)

// gobRPC is net/rpc with gob. Its calls only go in one direction, so the parent is the service, and its child also
// requests the configuration.
type gobRPC struct{}

// Parent is the service.
type Parent struct {
	e   ends
	w   *work
	f   *os.File
	o   order
	err error // the first
}

// takes checks a request, and sets the deadline of the next one.
func (p *Parent) takes(name string) error {
	err := errors.Join(p.o.takes(name), setDeadline(p.f))
	p.err = errors.Join(p.err, err)
	return err
}

// Nothing is an argument without content, because gob refuses a struct without fields.
type Nothing struct{ Unused bool }

// Config returns the configuration.
func (p *Parent) Config(_ Nothing, out *container.Config) error { *out = *p.w.config; return nil }

// Hooks only replies.
func (p *Parent) Hooks(Nothing, *Nothing) error { return p.takes(container.HooksRequest.Request) }

// Console receives the descriptor.
func (p *Parent) Console(path string, _ *Nothing) error {
	if err := p.takes(container.ConsoleRequest.Request); err != nil {
		return err
	}
	fds, err := receiveExtra(p.e)
	if err == nil {
		err = p.w.console(path, fds)
	}
	p.err = errors.Join(p.err, err)
	return err
}

// Ready only replies.
func (p *Parent) Ready(Nothing, *Nothing) error { return p.takes(container.ReadyRequest.Request) }

// Exec only replies.
func (p *Parent) Exec(Nothing, *Nothing) error { return p.takes(execName) }

func (gobRPC) parent(e ends, w *work) error {
	f, err := stream(e.fd)
	if err != nil {
		return err
	}
	s, p := rpc.NewServer(), &Parent{e: e, w: w, f: f}
	if err := s.Register(p); err != nil {
		return err
	}
	if err := setDeadline(f); err != nil {
		return err
	}
	s.ServeConn(f) // until end of file, and closes f
	return errors.Join(p.err, p.o.ended())
}

func (gobRPC) child(e ends, w *work) error {
	f, err := stream(e.fd)
	if err != nil {
		return err
	}
	c := rpc.NewClient(f)
	defer c.Close()
	call := func(method string, arg, reply any) error {
		if err := setDeadline(f); err != nil {
			return err
		}
		return c.Call(method, arg, reply)
	}
	var config container.Config
	if err := call("Parent.Config", Nothing{}, &config); err != nil {
		return err
	}
	if err := w.checkConfig(&config); err != nil {
		return err
	}
	if err := call("Parent.Hooks", Nothing{}, &Nothing{}); err != nil {
		return err
	}
	if err := sendExtra(e, w); err != nil {
		return err
	}
	if err := call("Parent.Console", consolePath, &Nothing{}); err != nil {
		return err
	}
	if err := call("Parent.Ready", Nothing{}, &Nothing{}); err != nil {
		return err
	}
	return call("Parent.Exec", Nothing{}, &Nothing{})
}
