// Command opener is a privileged process that passes files to a confined worker, with a profile of its own. The worker
// counts words. Only the opener may read the files, so the worker requests each by name and the opener decides. If root
// runs the opener, the worker runs as user nobody. Neither side can send anything that is not in the table below: a
// compromised worker can request files of one directory, and nothing else.
//
//	go run ./syncproto/example/opener
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// socket is the environment variable with the number of the worker's end.
const socket = "OPENER_SOCKET"

// The requests, with the types of their arguments and replies. Both sides use them, so the compiler checks both.
var (
	open = syncproto.Exchange[openArg, fileInfo]{Row: syncproto.Row{
		Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1},
		Doc: "The worker wants to read a file of the directory.",
	}}
	enough = syncproto.Exchange[result, struct{}]{Row: syncproto.Row{
		Request: "enough", Reply: "goodbye", Min: 1, Max: 1, Next: "alone",
		Doc: "It wants no more, and hands in what it found.",
	}}
)

// table is the whole conversation.
func table() *syncproto.Profile {
	return &syncproto.Profile{
		Name: "opener", Doc: "A process that opens files, and a worker that may not.",
		Phases: []syncproto.Phase{
			{Name: "files", Requester: syncproto.Child, Rows: []syncproto.Row{open.Row, enough.Row}},
			{Name: "alone", Requester: syncproto.Child, Commit: true},
		},
	}
}

type openArg struct {
	Name string `sync:"name"`
}

type fileInfo struct {
	Size int64 `sync:"size"`
}

type result struct {
	Words int `sync:"words"`
}

// task is the configuration.
type task struct {
	Files []string `sync:"files"`
}

func main() {
	conn, ok, err := transport.Adopt(socket)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "opener:", err)
		os.Exit(1)
	case ok:
		os.Exit(worker(context.Background(), conn))
	}
	dir, err := os.MkdirTemp("", "opener")
	if err != nil {
		fmt.Fprintln(os.Stderr, "opener:", err)
		os.Exit(1)
	}
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "poem"), []byte("so much depends upon"), 0o600)
	_ = os.WriteFile(filepath.Join(dir, "more"), []byte("a red wheel barrow"), 0o600)
	for _, t := range []task{{Files: []string{"poem", "more"}}, {Files: []string{"poem", "../../etc/shadow"}}} {
		if words, err := count(context.Background(), dir, t); err != nil {
			fmt.Println("failed:", err)
		} else {
			fmt.Println("counted", words, "words")
		}
	}
}

// count lets a worker carry out a task on the files of dir.
func count(ctx context.Context, dir string, t task) (words int, err error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stderr = []string{}, os.Stderr // StartCommand adds the one variable that the worker needs
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	peer, err := transport.StartCommand(cmd, socket, table(), transport.Options{Session: "words"})
	if err != nil {
		return 0, err
	}
	defer peer.Close() // afterwards a worker that has not succeeded is dead
	if words, err = serve(ctx, peer.Parent, dir, t); err != nil {
		return 0, err
	}
	return words, peer.Wait(ctx)
}

// serve is the opener's part of the conversation.
func serve(ctx context.Context, peer *transport.Parent, dir string, t task) (words int, err error) {
	if err := transport.Open(ctx, peer, &t, nil); err != nil {
		return 0, err
	}
	for {
		req, err := peer.Next(ctx)
		if err == io.EOF {
			return words, nil // the worker has sent EXEC and closed its end: the only way to succeed
		}
		if err != nil {
			return 0, err
		}
		switch req.Name {
		case open.Request:
			err = sendFile(ctx, peer, req, dir)
		case enough.Request:
			var r result
			if r, err = transport.Arg(ctx, peer, req, enough); err == nil {
				words = r.Words
				err = transport.Reply(ctx, peer, enough, struct{}{})
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

// sendFile sends the worker one file, or refuses the request: the worker then gets the same error, with its errno.
func sendFile(ctx context.Context, peer *transport.Parent, req *transport.Request, dir string) error {
	arg, err := transport.Arg(ctx, peer, req, open)
	if err != nil {
		return err
	}
	f, err := os.OpenInRoot(dir, arg.Name)
	if err != nil {
		return peer.Decline(ctx, err)
	}
	defer f.Close() // the worker gets a descriptor of its own
	info, err := f.Stat()
	if err != nil {
		return peer.Decline(ctx, err)
	}
	return transport.BorrowFDs([]*os.File{f}, func(fds []int) error {
		return transport.Reply(ctx, peer, open, fileInfo{Size: info.Size()}, fds...)
	})
}

// worker is the confined side.
func worker(ctx context.Context, conn *transport.Conn) int {
	peer, err := transport.NewChild(conn, table(), transport.Options{})
	if err != nil {
		return 1
	}
	if err := work(ctx, peer); err != nil {
		_ = peer.Fail(ctx, err) // report any error to the opener
		return 1
	}
	return 0
}

func work(ctx context.Context, peer *transport.Child) error {
	var t task
	if _, err := transport.Accept(ctx, peer, &t); err != nil {
		return err
	}
	if err := confine(); err != nil {
		return err
	}
	if err := peer.Confirm(ctx); err != nil {
		return err
	}
	words := 0
	for _, name := range t.Files {
		n, err := wordsOf(ctx, peer, name)
		if err != nil {
			return err
		}
		words += n
	}
	if _, _, err := transport.Call(ctx, peer, enough, result{Words: words}); err != nil {
		return err
	}
	return peer.Done(ctx)
}

func wordsOf(ctx context.Context, peer transport.Peer, name string) (int, error) {
	info, fds, err := transport.Call(ctx, peer, open, openArg{Name: name})
	if err != nil {
		return 0, err
	}
	f := transport.TakeFiles(name, fds)[0]
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, info.Size))
	return len(strings.Fields(string(text))), err
}

// confine permanently gives up rights that the worker does not need, before it reads anything written by somebody else:
// writing files, dumping core, gaining privileges by an execution. A worker for hostile files would add a seccomp
// filter.
func confine() error {
	for resource, most := range map[int]uint64{unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
