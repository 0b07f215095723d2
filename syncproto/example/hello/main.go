// Command hello is the smallest complete program that uses package transport, and the one shown in its documentation: a
// parent that starts itself again as its child, configures it, and replies to its requests.
//
//	go run ./syncproto/example/hello
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// root is the only request, with the Go types of its argument and its reply.
var root = syncproto.Exchange[int, int]{Row: syncproto.Row{Request: "root", Reply: "is"}}

// profile is the whole conversation: in its only phase the child makes requests, and may end it (Commit).
var profile = &syncproto.Profile{Name: "hello", Phases: []syncproto.Phase{
	{Name: "work", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{root.Row}},
}}

// task is the configuration.
type task struct {
	Numbers []int `sync:"numbers"`
}

func main() {
	ctx := context.Background()
	conn, isChild, err := transport.Adopt("HELLO_SOCKET")
	switch {
	case isChild && err == nil:
		err = child(ctx, conn)
	case err == nil:
		err = parent(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func parent(ctx context.Context) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Stderr = os.Stderr
	p, err := transport.StartCommand(cmd, "HELLO_SOCKET", profile, transport.Options{
		Note: func(n syncproto.Note) { fmt.Println("the child:", n.Text) },
	})
	if err != nil {
		return err
	}
	defer p.Close() // unless the conversation succeeded, it ends the child too
	if err := transport.Open(ctx, p.Parent, &task{Numbers: []int{49, -4, 81}}, nil); err != nil {
		return err
	}
	for {
		req, err := p.Next(ctx)
		if err == io.EOF {
			return p.Wait(ctx) // success: the child has finished and closed its end
		}
		if err != nil {
			return err // any other end: the child died, failed, was too slow, or broke the protocol
		}
		n, err := transport.Arg(ctx, p, req, root)
		if err != nil {
			return err
		}
		if n < 0 {
			err = p.Decline(ctx, fmt.Errorf("%d has no root", n)) // the conversation goes on
		} else {
			r := 0
			for (r+1)*(r+1) <= n {
				r++
			}
			err = transport.Reply(ctx, p, root, r)
		}
		if err != nil {
			return err
		}
	}
}

func child(ctx context.Context, conn *transport.Conn) error {
	c, err := transport.NewChild(conn, profile, transport.Options{})
	if err != nil {
		return err
	}
	if err := work(ctx, c); err != nil {
		return errors.Join(err, c.Fail(ctx, err)) // the parent's Next returns err
	}
	return c.Done(ctx) // or Exec, and then execve(2)
}

func work(ctx context.Context, c *transport.Child) error {
	var t task
	if _, err := transport.Accept(ctx, c, &t); err != nil {
		return err
	}
	if err := c.Confirm(ctx); err != nil {
		return err
	}
	for _, n := range t.Numbers {
		r, _, err := transport.Call(ctx, c, root, n)
		said := fmt.Sprintf("the root of %d is %d", n, r)
		if refused, ok := errors.AsType[*transport.Refused](err); ok {
			said, err = "no: "+refused.Error(), nil
		}
		if err == nil {
			err = c.Note(ctx, "info", said)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
