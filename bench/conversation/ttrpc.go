package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync"

	"github.com/containerd/ttrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/handfast/handfast/syncproto/container"
)

// overTTRPC is ttrpc, with the parent as the service. The configuration is JSON in a field of bytes, like the
// specification of a container in containerd.
type overTTRPC struct{}

// netConn makes a net.Conn from fd, which it takes.
func netConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "conversation")
	defer f.Close()
	return net.FileConn(f)
}

// single is a listener with one connection, because ttrpc's server needs a listener. ended is closed when the server
// has closed that connection, after it has read the child's end of file.
type single struct {
	net.Conn
	once  sync.Once
	given bool
	ended chan struct{}
}

func (s *single) Accept() (net.Conn, error) {
	if !s.given {
		s.given = true
		return s, nil
	}
	<-s.ended
	return nil, net.ErrClosed
}

func (s *single) Addr() net.Addr { return s.LocalAddr() }

func (s *single) Close() error {
	err := error(nil)
	s.once.Do(func() { err = s.Conn.Close(); close(s.ended) })
	return err
}

func (overTTRPC) parent(e ends, w *work) error {
	conn, err := netConn(e.fd)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	var failed error
	var o order
	does := func(name string, f func(argument string) error) ttrpc.Method {
		return func(_ context.Context, decode func(any) error) (any, error) {
			var arg wrapperspb.StringValue
			if err := decode(&arg); err != nil {
				return nil, err
			}
			err := errors.Join(o.takes(name), setDeadline(conn))
			if err == nil {
				err = f(arg.Value)
			}
			failed = errors.Join(failed, err)
			return &emptypb.Empty{}, err
		}
	}
	nothing := func(string) error { return nil }
	server.Register("parent", map[string]ttrpc.Method{
		"Config": func(_ context.Context, decode func(any) error) (any, error) {
			b, err := json.Marshal(w.config)
			return &wrapperspb.BytesValue{Value: b}, errors.Join(err, decode(&wrapperspb.StringValue{}))
		},
		"Hooks": does(container.HooksRequest.Request, nothing),
		"Ready": does(container.ReadyRequest.Request, nothing),
		"Exec":  does(execName, nothing),
		"Console": does(container.ConsoleRequest.Request, func(path string) error {
			fds, err := receiveExtra(e)
			if err == nil {
				err = w.console(path, fds)
			}
			return err
		}),
	})
	if err := setDeadline(conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	s := &single{Conn: conn, ended: make(chan struct{})}
	if err := server.Serve(context.Background(), s); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return errors.Join(failed, o.ended(), server.Close())
}

func (overTTRPC) child(e ends, w *work) error {
	conn, err := netConn(e.fd)
	if err != nil {
		return err
	}
	c := ttrpc.NewClient(conn)
	defer c.Close()
	call := func(method, arg string, reply proto.Message) error {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		return c.Call(ctx, "parent", method, &wrapperspb.StringValue{Value: arg}, reply)
	}
	var b wrapperspb.BytesValue
	if err := call("Config", "", &b); err != nil {
		return err
	}
	var config container.Config
	if err := json.Unmarshal(b.Value, &config); err != nil {
		return err
	}
	if err := w.checkConfig(&config); err != nil {
		return err
	}
	if err := call("Hooks", "", &emptypb.Empty{}); err != nil {
		return err
	}
	if err := sendExtra(e, w); err != nil {
		return err
	}
	if err := call("Console", consolePath, &emptypb.Empty{}); err != nil {
		return err
	}
	if err := call("Ready", "", &emptypb.Empty{}); err != nil {
		return err
	}
	return call("Exec", "", &emptypb.Empty{})
}
