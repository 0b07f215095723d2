// Command upgrade is a supervisor that replaces itself with a new version without closing its listening sockets. The
// old version starts the new one, sends it the sockets with the configuration, and goes on serving until the new one
// has reported that it serves and has closed its end of the conversation. If the new version fails, dies or hangs
// before that, the old one carries on unchanged, with an error that says why.
//
//	go run ./syncproto/example/upgrade
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// socket is the environment variable with the number of a new version's end.
const socket = "UPGRADE_SOCKET"

// The requests. "serving" is the point of no return: its reply lets the new version go on alone.
var (
	status = syncproto.Exchange[progress, struct{}]{Row: syncproto.Row{
		Request: "status", Reply: "noted",
		Doc: "The new version reports its progress, which extends the old one's deadline.",
	}}
	serving = syncproto.Exchange[struct{}, struct{}]{Row: syncproto.Row{
		Request: "serving", Reply: "take-over", Min: 1, Max: 1, Next: "taken",
		Doc: "The new version is ready to accept; the old one stops accepting, then says so.",
	}}
)

// table is the whole conversation. The sockets are sent with CONFIG.
func table() *syncproto.Profile {
	return &syncproto.Profile{
		Name: "upgrade", Doc: "A supervisor and its next version.", ConfigFDs: syncproto.FDCount{Min: 1, Max: 64},
		Phases: []syncproto.Phase{
			{Name: "warming-up", Requester: syncproto.Child, Rows: []syncproto.Row{status.Row, serving.Row}},
			{Name: "taken", Requester: syncproto.Child, Commit: true},
		},
	}
}

type progress struct {
	Percent int `sync:"percent"`
}

// handover is the configuration: which descriptor is what.
type handover struct {
	Version   int        `sync:"version"` // the version of the new supervisor
	Listeners []listener `sync:"listeners"`
}

type listener struct {
	Name string `sync:"name"`
	FD   int    `sync:"fd"` // its position among the descriptors, counting from one
}

func main() {
	conn, ok, err := transport.Adopt(socket)
	if err == nil && ok {
		err = runNextVersion(context.Background(), conn)
	} else if err == nil {
		err = runFirstVersion(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "upgrade:", err)
		os.Exit(1)
	}
}

// runFirstVersion is version 1: it listens, and is upgraded twice. The first upgrade fails.
func runFirstVersion(ctx context.Context) error {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	stop := serve(l, 1)
	fmt.Println("before:", queryVersion(l.Addr()))
	for _, version := range []int{13, 2} {
		next, err := upgrade(ctx, l, version, stop)
		if err != nil {
			fmt.Println("not upgraded:", err)
		}
		fmt.Println("now:", queryVersion(l.Addr()))
		if next != nil { // a supervisor would exit here and leave the new version running; the example cleans up
			_ = next.Cmd.Process.Kill()
			_ = next.Wait(ctx)
		}
	}
	return nil
}

// upgrade starts a version, passes it the listener, and calls stop once the new version serves. After an error this
// process goes on serving.
func upgrade(ctx context.Context, l *net.TCPListener, version int, stop func()) (*transport.Process, error) {
	f, err := l.File() // a duplicate: the listener itself stays here
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.Stderr = []string{}, os.Stderr // StartCommand adds the one variable that the new version needs
	o := transport.Options{Deadlines: transport.Deadlines{Idle: 10 * time.Second}}
	next, err := transport.StartCommand(cmd, socket, table(), o)
	if err != nil {
		return nil, err
	}
	defer next.Close() // after a success the new version goes on, otherwise it is dead
	if err := serveHandover(ctx, next.Parent, f, version, stop); err != nil {
		return nil, fmt.Errorf("version %d: %w", version, err)
	}
	return next, nil
}

// serveHandover is the old version's part of the conversation.
func serveHandover(ctx context.Context, peer *transport.Parent, f *os.File, version int, stop func()) error {
	config := handover{Version: version, Listeners: []listener{{Name: "front", FD: 1}}}
	err := transport.BorrowFDs([]*os.File{f}, func(fds []int) error {
		return transport.Open(ctx, peer, &config, fds)
	})
	if err != nil {
		return err
	}
	for {
		req, err := peer.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch req.Name {
		case status.Request:
			if _, err = transport.Arg(ctx, peer, req, status); err == nil {
				err = transport.Reply(ctx, peer, status, struct{}{})
			}
		case serving.Request:
			stop() // from here on connections wait in the socket's queue; none is refused
			err = transport.Reply(ctx, peer, serving, struct{}{})
		}
		if err != nil {
			return err
		}
	}
}

// runNextVersion is a new version: it takes over the sockets, and reports to the old version anything that goes wrong
// before it serves.
func runNextVersion(ctx context.Context, conn *transport.Conn) error {
	peer, err := transport.NewChild(conn, table(), transport.Options{})
	if err != nil {
		return err
	}
	l, version, err := take(ctx, peer)
	if err != nil {
		_ = peer.Fail(ctx, err)
		return nil // the old version has the error, and prints it
	}
	serve(l, version)
	if err := peer.Done(ctx); err != nil {
		return err
	}
	select {} // it serves
}

var errBadVersion = errors.New("the new version finds its database locked")

func take(ctx context.Context, peer *transport.Child) (*net.TCPListener, int, error) {
	var h handover
	fds, err := transport.Accept(ctx, peer, &h)
	if err == nil && (len(h.Listeners) != 1 || h.Listeners[0].FD != 1 || len(fds) != 1) {
		err = fmt.Errorf("%d listeners and %d descriptors, want one", len(h.Listeners), len(fds))
	}
	if err != nil {
		transport.CloseAll(fds)
		return nil, 0, err
	}
	l, err := listenerOf(transport.TakeFiles(h.Listeners[0].Name, fds)[0])
	if err != nil {
		return nil, 0, err
	}
	if err := peer.Confirm(ctx); err != nil {
		return nil, 0, err
	}
	if _, _, err := transport.Call(ctx, peer, status, progress{Percent: 50}); err != nil {
		return nil, 0, err
	}
	if h.Version == 13 {
		return nil, 0, errBadVersion
	}
	_, _, err = transport.Call(ctx, peer, serving, struct{}{})
	return l, h.Version, err
}

// listenerOf makes a listener from a file, and closes the file.
func listenerOf(f *os.File) (*net.TCPListener, error) {
	defer f.Close() // net.FileListener makes a duplicate
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", f.Name(), err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("listener %s: %s, want TCP", f.Name(), l.Addr().Network())
	}
	return tcp, nil
}

// serve sends the version's number on every connection until stop is called.
func serve(l *net.TCPListener, version int) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "version %d\n", version)
			_ = c.Close()
		}
	}()
	return func() {
		_ = l.SetDeadline(time.Unix(1, 0)) // the socket stays open, so no connection is lost between the two versions
		<-done
	}
}

// queryVersion is a client.
func queryVersion(addr net.Addr) string {
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
