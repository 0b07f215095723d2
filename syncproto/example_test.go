package syncproto_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// openerProfile is the whole conversation between a privileged opener and a worker that may open nothing itself: the worker asks for files by name, gets their descriptors, and
// says when it has all it wants. Both sides run this table; neither can say anything that is not in it.
func openerProfile() *syncproto.Profile {
	return &syncproto.Profile{Name: "opener", Phases: []syncproto.Phase{
		{Name: "files", Asker: syncproto.Child, Rows: []syncproto.Row{
			{Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1}},
			{Request: "enough", Reply: "goodbye", Min: 1, Max: 1, Next: "alone"},
		}},
		{Name: "alone", Asker: syncproto.Child, Commit: true},
	}}
}

// opener is the privileged side: it decides what the worker may have.
func opener(ctx context.Context, conn *transport.Conn, dir string) error {
	peer, err := transport.NewParent(conn, openerProfile(), transport.Options{})
	if err != nil {
		return err
	}
	defer peer.Close()
	if err := peer.Open(ctx, syncproto.StringValue("read and count"), nil); err != nil {
		return err
	}
	for {
		req, err := peer.Next(ctx)
		if err != nil {
			return err // io.EOF: the worker said EXEC and closed its end
		}
		if req.Name == "enough" {
			if err := peer.Reply(ctx, syncproto.Value{}); err != nil {
				return err
			}
			continue
		}
		name, _ := req.Arg.Text()
		f, err := os.OpenInRoot(dir, name)
		if err != nil {
			return peer.Refuse(ctx, err)
		}
		err = peer.Reply(ctx, syncproto.Value{}, int(f.Fd()))
		_ = f.Close() // the worker has a descriptor of its own now
		if err != nil {
			return err
		}
	}
}

// worker is the confined side. In a program of its own it would find its end with transport.Adopt.
func worker(ctx context.Context, conn *transport.Conn, names ...string) error {
	peer, err := transport.NewChild(conn, openerProfile(), transport.Options{})
	if err != nil {
		return err
	}
	defer peer.Close()
	if err := work(ctx, peer, names); err != nil {
		return peer.Fail(ctx, err)
	}
	return nil
}

func work(ctx context.Context, peer *transport.Peer, names []string) error {
	if _, _, err := peer.Accept(ctx); err != nil {
		return err
	}
	if err := peer.Confirm(ctx); err != nil {
		return err
	}
	for _, name := range names {
		_, fds, err := peer.Call(ctx, "open", syncproto.StringValue(name))
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fds[0]), name)
		text, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d words\n", name, len(strings.Fields(string(text))))
	}
	if _, _, err := peer.Call(ctx, "enough", syncproto.Value{}); err != nil {
		return err
	}
	return peer.Exec(ctx)
}

// A privileged opener hands files to a confined worker, by a profile of their own.
func Example() {
	dir, err := os.MkdirTemp("", "opener")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "poem"), []byte("so much depends upon"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	for _, names := range [][]string{{"poem"}, {"../../etc/shadow"}} {
		parentEnd, file, err := transport.SocketPair(transport.SeqPacket)
		if err != nil {
			fmt.Println(err)
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				fmt.Println(err)
				return
			}
			_ = file.Close()
			conn, err := transport.TakeBlocking(fd)
			if err != nil {
				fmt.Println(err)
				return
			}
			_ = worker(context.Background(), conn, names...)
		}()
		if err := opener(context.Background(), parentEnd, dir); err == io.EOF {
			fmt.Println("the worker goes on alone")
		} else {
			fmt.Println("refused:", err)
		}
		<-done
	}
	// Output:
	// poem: 4 words
	// the worker goes on alone
	// refused: openat ../../etc/shadow: path escapes from parent
}
