package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

var (
	// read is the request of the examples: for a file, by its name.
	read = syncproto.Exchange[string, struct{}]{Row: syncproto.Row{
		Request: "read", Reply: "file", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1},
	}}
	reading = &syncproto.Profile{Name: "reading", Phases: []syncproto.Phase{
		{Name: "work", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{read.Row}},
	}}
)

func init() { helpers["reader"] = func() { exitWith(reader()) } }

// reader is the child of ExampleStartCommand. It becomes another program at the end.
func reader() error {
	ctx := context.Background()
	conn, _, err := transport.Adopt("READER_SOCKET")
	if err != nil {
		return err
	}
	c, err := transport.NewChild(conn, reading, transport.Options{})
	if err != nil {
		return err
	}
	var name string
	if _, err := transport.Accept(ctx, c, &name); err != nil {
		return err
	}
	if err := c.Confirm(ctx); err != nil {
		return err
	}
	_, fds, err := transport.Call(ctx, c, read, name)
	if err != nil {
		return errors.Join(err, c.Fail(ctx, err))
	}
	cat := exec.Command("cat")
	cat.Stdin, cat.Stdout = transport.TakeFiles(name, fds)[0], os.Stdout
	if err := cat.Run(); err != nil {
		return errors.Join(err, c.Fail(ctx, err))
	}
	return c.Done(ctx)
}

// A child is started, configured, given one file, and waited for.
func ExampleStartCommand() {
	ctx := context.Background()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helperVariable+"=reader")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	p, err := transport.StartCommand(cmd, "READER_SOCKET", reading, transport.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	name := "/proc/sys/kernel/ostype"
	err = transport.Open(ctx, p.Parent, &name, nil)
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(ctx); err == nil {
			err = openRequested(ctx, p, req)
		}
	}
	if err == io.EOF {
		err = p.Wait(ctx)
	}
	fmt.Println(err)
	// Output:
	// Linux
	// <nil>
}

// openRequested opens the file that the child requests. If that fails, it refuses the request, and the child goes on
// without the file.
func openRequested(ctx context.Context, p transport.Peer, req *transport.Request) error {
	name, err := transport.Arg(ctx, p, req, read)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return p.Decline(ctx, err)
	}
	defer f.Close() // the child has a descriptor of its own
	return transport.BorrowFDs([]*os.File{f}, func(fds []int) error {
		return transport.Reply(ctx, p, read, struct{}{}, fds...)
	})
}

// conversing runs a child in this process, for an example, and opens the conversation with it.
func conversing(child func(ctx context.Context, c *transport.Child) error, o transport.Options) (*transport.Parent,
	error) {
	conn, end, err := transport.SocketPair(transport.SeqPacket)
	if err != nil {
		return nil, err
	}
	defer end.Close()
	fd, err := dup(end)
	if err != nil {
		return nil, err
	}
	theirs, err := transport.Take(fd)
	if err != nil {
		return nil, err
	}
	c, err := transport.NewChild(theirs, reading, transport.Options{})
	if err != nil {
		return nil, err
	}
	go func() {
		ctx := context.Background()
		err := open(ctx, c)
		if err == nil {
			err = child(ctx, c)
		}
		if err != nil {
			_ = c.Fail(ctx, err)
		}
	}()
	p, err := transport.NewParent(conn, reading, o)
	if err != nil {
		return nil, err
	}
	return p, p.Open(context.Background(), syncproto.Value{}, nil)
}

// A request that cannot be carried out is declined: the child learns why and goes on. Abort ends the conversation.
func ExampleParent_Abort() {
	ctx := context.Background()
	said := make(chan string, 2)
	p, err := conversing(func(ctx context.Context, c *transport.Child) error {
		_, _, err := transport.Call(ctx, c, read, "/no/such/file")
		said <- fmt.Sprintln("declined:", err, errors.Is(err, fs.ErrNotExist))
		_, _, err = transport.Call(ctx, c, read, "/etc/shadow")
		said <- fmt.Sprintln("aborted:", err)
		return err
	}, transport.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	req, err := p.Next(ctx)
	if err == nil {
		err = openRequested(ctx, p, req) // which declines
	}
	fmt.Print(<-said)
	if err == nil {
		_, err = p.Next(ctx)
	}
	if err == nil {
		err = p.Abort(ctx, errors.New("the child requests passwords"))
	}
	fmt.Print(<-said)
	fmt.Println("the parent:", err)
	// Output:
	// declined: open /no/such/file: no such file or directory true
	// aborted: the child requests passwords
	// the parent: the child requests passwords
}

// A child that executes nothing ends the conversation with Done.
func ExampleChild_Done() {
	p, err := conversing(func(ctx context.Context, c *transport.Child) error {
		return c.Done(ctx)
	}, transport.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	_, err = p.Next(context.Background())
	fmt.Println(err, p.Verdict().Outcome)
	// Output: EOF success
}

// Total bounds a whole conversation, even if the child keeps making requests in time.
func ExampleDeadlines() {
	ctx := context.Background()
	p, err := conversing(func(ctx context.Context, c *transport.Child) error {
		for {
			_, _, err := transport.Call(ctx, c, read, "/no/such/file")
			if _, again := errors.AsType[*transport.Refused](err); !again {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}, transport.Options{Deadlines: transport.Deadlines{Total: 50 * time.Millisecond}})
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(ctx); err == nil {
			err = openRequested(ctx, p, req)
		}
	}
	f, ok := errors.AsType[*transport.Failure](err)
	fmt.Println(ok && f.Outcome == syncproto.TimedOut, errors.Is(err, context.DeadlineExceeded))
	if p != nil {
		_ = p.Close()
	}
	// Output: true true
}

// dup is a descriptor of its own for f.
func dup(f *os.File) (fd int, err error) {
	err = transport.BorrowFDs([]*os.File{f}, func(fds []int) error {
		fd, err = unix.FcntlInt(uintptr(fds[0]), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	return fd, err
}
