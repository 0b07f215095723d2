package main

import (
	"net/rpc"

	"github.com/handfast/handfast/syncproto/container"
)

// gobRPC is net/rpc with gob. A call has one direction there, so the parent is the service, and its child asks for the configuration as well.
type gobRPC struct{}

// Parent is the service.
type Parent struct {
	e   ends
	w   *work
	err error // of the console
}

// Nothing is an argument without content; gob refuses a struct without fields.
type Nothing struct{ Unused bool }

// Config returns the configuration.
func (p *Parent) Config(_ Nothing, out *container.Config) error { *out = *p.w.config; return nil }

// Hooks only answers.
func (p *Parent) Hooks(Nothing, *Nothing) error { return nil }

// Console takes the descriptor.
func (p *Parent) Console(path string, _ *Nothing) error {
	fds, err := beside(p.e)
	if err == nil {
		err = p.w.console(path, fds)
	}
	p.err = err
	return err
}

// Ready only answers.
func (p *Parent) Ready(Nothing, *Nothing) error { return nil }

// Exec only answers.
func (p *Parent) Exec(Nothing, *Nothing) error { return nil }

func (gobRPC) parent(e ends, w *work) error {
	f, err := stream(e.fd)
	if err != nil {
		return err
	}
	s, p := rpc.NewServer(), &Parent{e: e, w: w}
	if err := s.Register(p); err != nil {
		return err
	}
	s.ServeConn(f) // until end of file, and closes f
	return p.err
}

func (gobRPC) child(e ends, w *work) error {
	f, err := stream(e.fd)
	if err != nil {
		return err
	}
	c := rpc.NewClient(f)
	defer c.Close()
	var config container.Config
	if err := c.Call("Parent.Config", Nothing{}, &config); err != nil {
		return err
	}
	if err := w.arrived(&config); err != nil {
		return err
	}
	if err := c.Call("Parent.Hooks", Nothing{}, &Nothing{}); err != nil {
		return err
	}
	if err := handOver(e, w); err != nil {
		return err
	}
	if err := c.Call("Parent.Console", consolePath, &Nothing{}); err != nil {
		return err
	}
	if err := c.Call("Parent.Ready", Nothing{}, &Nothing{}); err != nil {
		return err
	}
	return c.Call("Parent.Exec", Nothing{}, &Nothing{})
}
