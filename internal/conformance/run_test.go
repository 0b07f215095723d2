package conformance_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/conformance"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

const mistakeVariable = "CONFORMANCE_MISTAKE"

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		if mistake := os.Getenv(mistakeVariable); mistake != "" {
			child(mistake)
			os.Exit(0)
		}
	}})
}

// child runs a child with the profile init that sets nothing up and makes one mistake.
func child(mistake string) {
	fd, _ := strconv.Atoi(os.Getenv("HANDFAST_SOCKET"))
	conn, _, err := transport.Adopt("HANDFAST_SOCKET")
	if err != nil {
		os.Exit(3)
	}
	var o transport.Options
	if mistake == "json alone" {
		o.Codecs = []codec.Codec{codec.JSON()}
	}
	p, err := transport.NewChild(conn, container.InitProfile(), o)
	if err != nil {
		os.Exit(3)
	}
	if err := converse(p, fd, mistake); err != nil && mistake != "says nothing" {
		_ = p.Fail(context.Background(), err)
	}
}

func converse(p *transport.Child, fd int, mistake string) error {
	ctx := context.Background()
	v, _, err := p.Accept(ctx)
	if err != nil {
		return err
	}
	var cfg container.Config
	if err := syncproto.FromValue(v, &cfg, true); err != nil {
		return err
	}
	if mistake == "another digest" {
		h := syncproto.Header{Kind: syncproto.KindConfigOK, Seq: 2, Re: 2}
		write(fd, h, `{"size":1,"digest":"0000000000000000"}`)
	}
	if err := p.Confirm(ctx); err != nil {
		return err
	}
	switch mistake {
	case "a NOTE of no level":
		write(fd, syncproto.Header{Kind: syncproto.KindNote, Seq: 3}, `{"level":"loud","text":"a line"}`)
	case "garbage":
		_, _ = unix.Write(fd, []byte(`{"type":"procReady"}`))
	case "another seq":
		b := syncproto.Header{Kind: syncproto.KindExec, Seq: 9}.Append(nil)
		_, _ = unix.Write(fd, b)
	case "hangs":
		time.Sleep(time.Minute)
	case "makes another request":
		if _, _, err := p.Call(ctx, "hooks", syncproto.Value{}); err != nil {
			return err
		}
	}
	if _, _, err := p.Call(ctx, "ready", syncproto.Value{}); err != nil {
		return err
	}
	if err := p.Exec(ctx); err != nil {
		return err
	}
	if mistake == "speaks after EXEC" {
		_, _ = unix.Write(fd, append(syncproto.Header{Kind: syncproto.KindNote, Seq: 5, Length: 2}.Append(nil), "{}"...))
	}
	if _, err := os.Stat(cfg.Process.Args[0]); err != nil {
		return err
	}
	return p.Close()
}

// write sends a frame that the child's Session does not know about.
func write(fd int, h syncproto.Header, payload string) {
	h.Length = uint32(len(payload))
	_, _ = unix.Write(fd, append(h.Append(nil), payload...))
}

func run(t *testing.T, o conformance.Options) (conformance.Result, string) {
	t.Helper()
	var out strings.Builder
	o.Out = &out
	r, err := conformance.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r, out.String()
}

// TestRunTellsRightFromWrong checks that a correct child passes, and that each mistake is named in the line of a
// vector that detects it.
func TestRunTellsRightFromWrong(t *testing.T) {
	for _, tt := range []struct{ mistake, match, want string }{
		{"none", "json/good-", "12 passed, 0 failed, 0 skipped"},
		{"json alone", "good-config-whole", "2 passed, 0 failed, 2 skipped"},
		{"says nothing", "json/cancel-at-ready", "want ERROR re=0 code=cancelled: end of file came"},
		{"garbage", "json/good-config-whole", `not a handfast peer: it sent "{\"type\":\"procReady\"}"`},
		{"another seq", "json/good-config-whole", "EXEC has the sequence number 9, want 3"},
		{"hangs", "json/good-config-whole", "want REQUEST name=ready fds=0: nothing came in time"},
		{"makes another request", "json/good-config-whole", "want REQUEST name=ready fds=0, got REQUEST name=hooks"},
		{"speaks after EXEC", "json/good-config-whole", "NOTE came after EXEC"},
		{"another digest", "json/good-config-whole", "confirms a configuration of 1 bytes"},
		{"a NOTE of no level", "json/good-config-whole", "want debug, info, warning or error"},
	} {
		t.Run(tt.mistake, func(t *testing.T) {
			t.Setenv(mistakeVariable, tt.mistake)
			_, out := run(t, conformance.Options{Command: []string{"/proc/self/exe"}, Match: tt.match, Timeout: 2 * time.Second})
			if !strings.Contains(out, tt.want) {
				t.Errorf("want %q in\n%s", tt.want, out)
			}
		})
	}
}

func TestRunPrintsTAP(t *testing.T) {
	t.Setenv(mistakeVariable, "says nothing")
	r, out := run(t, conformance.Options{Command: []string{"/proc/self/exe"}, Match: "json/cancel-at-ready",
		Socket: "stream", TAP: true})
	if r.Failed != 1 || !strings.HasPrefix(out, "TAP version 13\n1..1\nnot ok 1 - json/cancel-at-ready (stream)\n  "+
		"---\n  message: ") {
		t.Errorf("%+v\n%s", r, out)
	}
}

func TestRunRefusesWhatCannotBeRun(t *testing.T) {
	for _, o := range []conformance.Options{
		{Command: []string{"/no/such/child"}, Match: "json/good-config-whole"},
		{Command: []string{"true"}, Match: "no such vector"},
		{Command: []string{"true"}, Socket: "tcp"},
	} {
		o.Out = &strings.Builder{}
		if r, err := conformance.Run(t.Context(), o); err == nil {
			t.Errorf("%+v is run: %+v", o, r)
		}
	}
}
