package vectors_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/conformance"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/remote"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/vectors"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func of(t *testing.T, kind vectors.Kind, f func(t *testing.T, v vectors.Vector)) {
	t.Helper()
	list, err := vectors.Of(kind)
	if err != nil || len(list) < 15 {
		t.Fatalf("%d vectors, %v", len(list), err)
	}
	for _, v := range list {
		t.Run(v.Name, func(t *testing.T) { f(t, v) })
	}
}

// refusal is the verdict that an error stands for.
func refusal(err error) string {
	var p *syncproto.ProtocolError
	switch {
	case err == nil:
		return "accept"
	case errors.As(err, &p):
		return "refuse " + string(p.Code)
	}
	return "refuse " + err.Error()
}

func TestFrames(t *testing.T) {
	of(t, vectors.KindFrame, func(t *testing.T, v vectors.Vector) {
		h, err := syncproto.ParseHeader(v.Data)
		if err == nil {
			err = syncproto.DefaultLimits().Check(h)
		}
		if err == nil && int(h.Length) != len(v.Data)-syncproto.HeaderSize {
			err = &syncproto.ProtocolError{Code: syncproto.CodeFrame}
		}
		if got := refusal(err); got != v.Verdict {
			t.Errorf("%s, want %s: %v", got, v.Verdict, err)
		}
	})
}

func TestValues(t *testing.T) {
	of(t, vectors.KindValue, func(t *testing.T, v vectors.Vector) {
		c, _ := codec.Find(codec.BuiltIn(), v.Codec)
		val, err := c.Decode(v.Data, syncproto.Limits{})
		if got := refusal(err); got != v.Verdict {
			t.Fatalf("%s, want %s: %v", got, v.Verdict, err)
		}
		if err != nil {
			return
		}
		want, err := codec.JSON().Decode([]byte(v.Value), syncproto.Limits{})
		if err != nil || !val.Equal(want) {
			t.Errorf("%v, want %v, %v", val, want, err)
		}
	})
}

// A reader shows the words that every report's vector has; a star in them stands for any words.
func TestReports(t *testing.T) {
	of(t, vectors.KindReport, func(t *testing.T, v vectors.Vector) {
		val, err := codec.JSON().Decode(v.Data, syncproto.Limits{})
		var r syncproto.Report
		if err == nil {
			err = syncproto.FromValue(val, &r, true)
		}
		if (err == nil) != (v.Verdict == "accept") {
			t.Fatalf("%v, want %s", err, v.Verdict)
		}
		if err != nil {
			return
		}
		head, tail, star := strings.Cut(v.Words, "*")
		got := remote.FromReport(r).Error()
		ok := got == v.Words
		if star {
			ok = strings.HasPrefix(got, head) && strings.HasSuffix(got, tail) && len(got) > len(head)+len(tail)
		}
		if !ok {
			t.Errorf("a reader shows %q, want %q", got, v.Words)
		}
	})
}

// patience is how long a wait of a vector may last. Only a failure waits that long: it is generous, for an emulated or
// crowded machine may stand still for seconds.
const patience = time.Minute

// sockets makes a pair of each type that the vector is for: the Go side's end, and the player's.
func sockets(t *testing.T, v vectors.Vector, f func(t *testing.T, c *transport.Conn, fd int)) {
	for name, typ := range map[string]int{"seqpacket": unix.SOCK_SEQPACKET, "stream": unix.SOCK_STREAM} {
		if v.Socket != "both" && v.Socket != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fds[1])
			c, err := transport.Take(fds[0])
			if err != nil {
				t.Fatal(err)
			}
			f(t, c, fds[1])
		})
	}
}

// The Go child replies as every vector expects.
func TestChildren(t *testing.T) {
	of(t, vectors.KindChild, func(t *testing.T, v vectors.Vector) {
		sockets(t, v, func(t *testing.T, c *transport.Conn, fd int) {
			if v.NoFile > 0 {
				defer limitFiles(t, v.NoFile)()
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				child(t, c)
			}()
			if err := conformance.Play(&v, fd, patience); err != nil {
				t.Error(err)
			}
			_ = unix.Shutdown(fd, unix.SHUT_RDWR)
			<-done
		})
	})
}

// limitFiles lowers the limit of open descriptors of this process, which is the player's, too, until the function that
// it returns is called.
func limitFiles(t *testing.T, n int) (restore func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
	}
}

// child is a child of the profile init that sets nothing up, and only pretends to execute its program.
func child(t *testing.T, c *transport.Conn) {
	p, err := transport.NewChild(c, container.InitProfile(), transport.Options{})
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	if err := converse(p); err != nil {
		_ = p.Fail(context.Background(), err)
	}
}

func converse(p *transport.Child) error {
	ctx := context.Background()
	v, fds, err := p.Accept(ctx)
	if err != nil {
		return err
	}
	transport.CloseAll(fds)
	var cfg container.Config
	if err := syncproto.FromValue(v, &cfg, true); err != nil {
		return err
	}
	if err := p.Confirm(ctx); err != nil {
		return err
	}
	if _, _, err := p.Call(ctx, "ready", syncproto.Value{}); err != nil {
		return err
	}
	if err := p.Exec(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(cfg.Process.Args[0]); err != nil {
		return failedExec{&exec.Error{Name: cfg.Process.Args[0], Err: unix.ENOENT}}
	}
	return p.Close()
}

type failedExec struct{ error }

func (failedExec) SyncCode() syncproto.Code { return syncproto.CodeExec }
func (e failedExec) Unwrap() error          { return e.error }

// The Go parent comes to every vector's verdict.
func TestParents(t *testing.T) {
	of(t, vectors.KindParent, func(t *testing.T, v vectors.Vector) {
		sockets(t, v, func(t *testing.T, c *transport.Conn, fd int) {
			verdict := make(chan string, 1)
			go func() { verdict <- parent(c, v.Codec) }()
			err := conformance.Play(&v, fd, patience)
			_ = unix.Shutdown(fd, unix.SHUT_RDWR)
			if got := <-verdict; got != v.Verdict || err != nil && !strings.HasPrefix(v.Verdict, "violated") {
				t.Errorf("%s, want %s: %v", got, v.Verdict, err)
			}
		})
	})
}

// parent is a parent as README.md describes it; it returns its verdict.
func parent(c *transport.Conn, name string) string {
	one, _ := codec.Find(codec.BuiltIn(), name)
	p, err := transport.NewParent(c, container.InitProfile(), transport.Options{Codecs: []codec.Codec{one},
		Limits: syncproto.Limits{Notes: 4, Frames: 32}, Deadlines: transport.Deadlines{Grace: 100 * time.Millisecond}})
	if err != nil {
		return err.Error()
	}
	defer p.Close()
	ctx := context.Background()
	err = p.Open(ctx, syncproto.MapValue(syncproto.Field{Name: "id", Value: syncproto.StringValue("conformance")}), nil)
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(ctx); err != nil {
			break
		}
		transport.CloseAll(req.FDs)
		var fds []int
		if req.Name == "mount" {
			fds = []int{0}
		}
		if source, _ := req.Arg.Get("source"); source.Equal(syncproto.StringValue("/refuse")) {
			err = p.Decline(ctx, refused{})
			continue
		}
		err = p.Reply(ctx, syncproto.Value{}, fds...)
	}
	if err == io.EOF {
		return "success"
	}
	var f *transport.Failure
	if !errors.As(err, &f) {
		return err.Error()
	}
	s := strings.ReplaceAll(f.Outcome.String(), " ", "-")
	var violation *syncproto.ProtocolError
	switch f.Outcome {
	case syncproto.Violated:
		if errors.As(f.Err, &violation) {
			s += " " + string(violation.Code)
		}
	case syncproto.PeerError:
		var own *remote.Error
		if errors.As(f.Err, &own) {
			s += " " + string(own.Report.Code)
		}
	}
	return s
}

// refused is the error with which a parent refuses a request.
type refused struct{}

func (refused) Error() string            { return "no such mount" }
func (refused) SyncCode() syncproto.Code { return syncproto.CodeSetup }

func FuzzParse(f *testing.F) {
	all, err := vectors.All()
	if err != nil || len(all) < 200 {
		f.Fatalf("%d vectors, %v", len(all), err)
	}
	for i := 0; i < len(all); i += 17 {
		f.Add(all[i].Format())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := vectors.Parse(text)
		if err != nil {
			return
		}
		again, err := vectors.Parse(v.Format())
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v\n%q", err, v.Format())
		}
		if string(again.Format()) != string(v.Format()) {
			t.Fatalf("%q\nbecomes %q", v.Format(), again.Format())
		}
	})
}
