// Command opener is a privileged process that hands files to a confined worker, by a profile of its own.
//
// The worker counts words. The files are the opener's alone, so it asks for each by name, and the opener decides. Started by root, the worker is nobody. Neither side can say
// anything that is not in the table below: a worker that is taken over can ask for files of the one directory, and for nothing else.
//
//	go run ./syncproto/example/opener
package main

import (
	"context"
	"errors"
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

// socket is the environment variable that tells the worker its end.
const socket = "OPENER_SOCKET"

// The requests, each with the types of what it and its reply carry; both sides use these, so the compiler checks both.
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
			{Name: "files", Asker: syncproto.Child, Rows: []syncproto.Row{open.Row, enough.Row}},
			{Name: "alone", Asker: syncproto.Child, Commit: true},
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

// count has a worker do a task over the files of dir.
func count(ctx context.Context, dir string, t task) (words int, err error) {
	conn, end, err := transport.SocketPair(transport.SeqPacket)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{socket + "=3"}
	cmd.ExtraFiles, cmd.Stderr = []*os.File{end}, os.Stderr
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	err = cmd.Start()
	_ = end.Close() // as long as a copy of the worker's end is open here, there is no end of file
	if err != nil {
		return 0, errors.Join(err, conn.Close())
	}
	peer, err := transport.NewParent(conn, table(), transport.Options{Session: "words"})
	if err == nil {
		defer peer.Close()
		words, err = serve(ctx, peer, dir, t)
	}
	if err != nil {
		_ = cmd.Process.Kill()
	}
	_ = cmd.Wait()
	return words, err
}

// serve is the opener's part of the conversation.
func serve(ctx context.Context, peer *transport.Parent, dir string, t task) (words int, err error) {
	config, err := syncproto.ToValue(t)
	if err != nil {
		return 0, err
	}
	if err := peer.Open(ctx, config, nil); err != nil {
		return 0, err
	}
	for {
		req, err := peer.Next(ctx)
		if err == io.EOF {
			return words, nil // the worker said EXEC and its end closed: the one way to succeed
		}
		if err != nil {
			return 0, err
		}
		switch req.Name {
		case open.Request:
			err = hand(ctx, peer, req, dir)
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

// hand gives the worker one file, or refuses: then the worker hears the same error, with its errno.
func hand(ctx context.Context, peer *transport.Parent, req *transport.Request, dir string) error {
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
	return transport.Reply(ctx, peer, open, fileInfo{Size: info.Size()}, int(f.Fd()))
}

// worker is the confined side.
func worker(ctx context.Context, conn *transport.Conn) int {
	peer, err := transport.NewChild(conn, table(), transport.Options{})
	if err != nil {
		return 1
	}
	if err := work(ctx, peer); err != nil {
		_ = peer.Fail(ctx, err) // whatever it is, the opener learns of it
		return 1
	}
	_ = peer.Close()
	return 0
}

func work(ctx context.Context, peer *transport.Child) error {
	config, _, err := peer.Accept(ctx)
	if err != nil {
		return err
	}
	var t task
	if err := syncproto.FromValue(config, &t, true); err != nil {
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
	return peer.Exec(ctx)
}

func wordsOf(ctx context.Context, peer transport.Peer, name string) (int, error) {
	info, fds, err := transport.Call(ctx, peer, open, openArg{Name: name})
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fds[0]), name)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, info.Size))
	return len(strings.Fields(string(text))), err
}

// confine gives up for good what the worker does not need before it looks at anything that somebody else wrote: writing files, leaving a core, gaining rights by an
// execution. A worker for hostile files would put a seccomp filter on top.
func confine() error {
	for resource, most := range map[int]uint64{unix.RLIMIT_FSIZE: 0, unix.RLIMIT_CORE: 0} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return err
		}
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
