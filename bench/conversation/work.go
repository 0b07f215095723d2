package main

import (
	"errors"
	"fmt"
	"reflect"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// work is the content of a conversation, the same for every contender and on both sides.
type work struct {
	config   *container.Config
	terminal int  // the descriptor that the child sends; both sides have the same file
	closely  bool // compare everything that arrives: for the conversation before the first measured one
}

// ends is one side's end of the connection.
type ends struct {
	fd    int             // the socket, owned by the talker
	extra int             // a second socket for a descriptor that the first cannot carry; negative for none
	conn  *transport.Conn // instead of both if there is no socket
}

// take makes a Conn from the end.
func (e ends) take(how func(int) (*transport.Conn, error)) (*transport.Conn, error) {
	if e.conn != nil {
		return e.conn, nil
	}
	return how(e.fd)
}

// talker is one way to have the conversation. Each side returns when its part is over and its ends are closed; the
// parent's only after it has read the child's end of file.
type talker interface {
	parent(e ends, w *work) error
	child(e ends, w *work) error
}

// checkConfig checks the configuration that the child has received.
func (w *work) checkConfig(got *container.Config) error {
	if got.ID != w.config.ID || len(got.Process.Env) != len(w.config.Process.Env) {
		return errors.New("the configuration did not arrive")
	}
	if w.closely && !reflect.DeepEqual(got, w.config) {
		return fmt.Errorf("another configuration arrived: %+v, want %+v", got, w.config)
	}
	return nil
}

// console checks the request "console" that the parent has received, and closes the descriptor.
func (w *work) console(path string, fds []int) error {
	defer transport.CloseAll(fds)
	if path != consolePath || len(fds) != 1 {
		return fmt.Errorf("console %q came with %d descriptors, want %q and one", path, len(fds), consolePath)
	}
	if !w.closely {
		return nil
	}
	var got, want unix.Stat_t
	if err := errors.Join(unix.Fstat(fds[0], &got), unix.Fstat(w.terminal, &want)); err != nil {
		return fmt.Errorf("the console's descriptor: %w", err)
	}
	if got.Dev != want.Dev || got.Ino != want.Ino {
		return fmt.Errorf("the console's descriptor is inode %d of device %d, want %d of %d", got.Ino, got.Dev, want.Ino,
			want.Dev)
	}
	return nil
}
