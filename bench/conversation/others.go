package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/rpc"
	"os"
	"sync"

	"github.com/containerd/ttrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// connOf makes a net.Conn of a descriptor, which becomes the Conn's.
func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	return net.FileConn(f)
}

// handOver sends a descriptor beside the conversation, for those that cannot carry one within.
func handOver(side int) error { return send(side, []byte{1}, 0) }

func takeOver(side int) error {
	fds, err := receiveFDs(side, 1)
	if err == nil && len(fds) != 1 {
		err = errors.New("no descriptor came")
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	return err
}

type jsonMessage struct {
	Type string `json:"type"`
	Arg  []byte `json:"arg,omitempty"`
}

func jsonParent(fd, side int) error {
	defer unix.Close(side)
	conn, err := connOf(fd)
	if err != nil {
		return err
	}
	defer conn.Close()
	enc, dec := json.NewEncoder(conn), json.NewDecoder(conn)
	if err := enc.Encode(jsonMessage{"config", payload}); err != nil {
		return err
	}
	for {
		var m jsonMessage
		if err := dec.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if m.Type == "console" {
			if err := takeOver(side); err != nil {
				return err
			}
		}
		if m.Type == "exec" || m.Type == "configured" {
			continue
		}
		if err := enc.Encode(jsonMessage{Type: m.Type + "Done"}); err != nil {
			return err
		}
	}
}

func jsonChild(fd, side int) error {
	defer unix.Close(side)
	conn, err := connOf(fd)
	if err != nil {
		return err
	}
	defer conn.Close()
	enc, dec := json.NewEncoder(conn), json.NewDecoder(conn)
	var m jsonMessage
	if err := dec.Decode(&m); err != nil || len(m.Arg) != len(payload) {
		return errors.Join(err, errors.New("the configuration did not arrive"))
	}
	if err := enc.Encode(jsonMessage{Type: "configured"}); err != nil {
		return err
	}
	for _, name := range []string{"hooks", "console", "ready"} {
		if err := enc.Encode(jsonMessage{Type: name}); err != nil {
			return err
		}
		if name == "console" {
			if err := handOver(side); err != nil {
				return err
			}
		}
		if err := dec.Decode(&m); err != nil {
			return err
		}
	}
	return enc.Encode(jsonMessage{Type: "exec"})
}

// Parent is the parent as a service: its child asks for the configuration, too.
type Parent struct{ side int }

// Config returns the configuration.
func (p *Parent) Config(_ struct{}, out *[]byte) error { *out = payload; return nil }

// Hooks, Ready and Exec only answer.
func (p *Parent) Hooks(_ struct{}, _ *struct{}) error { return nil }

// Console takes the descriptor.
func (p *Parent) Console(_ struct{}, _ *struct{}) error { return takeOver(p.side) }

// Ready answers.
func (p *Parent) Ready(_ struct{}, _ *struct{}) error { return nil }

// Exec answers.
func (p *Parent) Exec(_ struct{}, _ *struct{}) error { return nil }

func rpcParent(fd, side int) error {
	defer unix.Close(side)
	conn, err := connOf(fd)
	if err != nil {
		return err
	}
	s := rpc.NewServer()
	if err := s.Register(&Parent{side}); err != nil {
		return err
	}
	s.ServeConn(conn) // which closes it
	return nil
}

func rpcChild(fd, side int) error {
	defer unix.Close(side)
	conn, err := connOf(fd)
	if err != nil {
		return err
	}
	c := rpc.NewClient(conn)
	defer c.Close()
	var config []byte
	if err := c.Call("Parent.Config", struct{}{}, &config); err != nil || len(config) != len(payload) {
		return errors.Join(err, errors.New("the configuration did not arrive"))
	}
	for _, name := range []string{"Hooks", "Console", "Ready", "Exec"} {
		if name == "Console" {
			if err := handOver(side); err != nil {
				return err
			}
		}
		if err := c.Call("Parent."+name, struct{}{}, &struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

// oneConn is a listener of a single connection, which ttrpc's server wants.
type oneConn struct {
	conn chan net.Conn
	done chan struct{}
	once sync.Once
	addr net.Addr
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConn) Addr() net.Addr { return l.addr }

// watched tells when the connection was closed, which is the end of the conversation.
type watched struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (w *watched) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

func ttrpcParent(fd, side int) error {
	defer unix.Close(side)
	conn, err := connOf(fd)
	if err != nil {
		return err
	}
	s, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	defer s.Close()
	empty := func(f func() error) ttrpc.Method {
		return func(_ context.Context, decode func(any) error) (any, error) {
			if err := decode(&emptypb.Empty{}); err != nil {
				return nil, err
			}
			return &emptypb.Empty{}, f()
		}
	}
	none := func() error { return nil }
	s.Register("parent", map[string]ttrpc.Method{
		"Config": func(_ context.Context, decode func(any) error) (any, error) {
			return &wrapperspb.BytesValue{Value: payload}, decode(&emptypb.Empty{})
		},
		"Hooks": empty(none), "Console": empty(func() error { return takeOver(side) }), "Ready": empty(none), "Exec": empty(none),
	})
	w := &watched{Conn: conn, closed: make(chan struct{})}
	l := &oneConn{conn: make(chan net.Conn, 1), done: make(chan struct{}), addr: conn.LocalAddr()}
	l.conn <- w
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	<-w.closed
	_ = l.Close()
	<-served
	return nil
}

func ttrpcChild(fd, side int) error {
	defer unix.Close(side)
	conn, err := connOf(fd)
	if err != nil {
		return err
	}
	c := ttrpc.NewClient(conn)
	defer c.Close()
	ctx := context.Background()
	var config wrapperspb.BytesValue
	if err := c.Call(ctx, "parent", "Config", &emptypb.Empty{}, &config); err != nil || len(config.Value) != len(payload) {
		return errors.Join(err, errors.New("the configuration did not arrive"))
	}
	for _, name := range []string{"Hooks", "Console", "Ready", "Exec"} {
		if name == "Console" {
			if err := handOver(side); err != nil {
				return err
			}
		}
		if err := c.Call(ctx, "parent", name, &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
			return err
		}
	}
	return nil
}
