package fuzz

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// start starts a container that says its name, and returns what it wrote and in which codecs its frames were.
func start(t *testing.T, c codec.Codec) (said string, spoken map[string]int, err error) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	spoken = make(map[string]int)
	cfg := spawn.Config{
		Codec: c,
		Files: [3]*os.File{1: w, 2: os.Stderr},
		Trace: func(e transport.Event) {
			if e.End == syncproto.Undecided && len(e.Payload) > 0 {
				spoken[e.Codec]++
			}
		},
		Container: spawn.Container{ID: "third", Hostname: "third", Root: container.Root{Path: testenv.Busybox(t)},
			Process: container.Process{Args: []string{"/bin/sh", "-c", "hostname; exit 7"}, Cwd: "/",
				Env: []string{"PATH=/bin"}}},
	}
	for _, kind := range []string{container.NSPid, container.NSMount, container.NSUTS, container.NSIPC} {
		cfg.Namespaces = append(cfg.Namespaces, spawn.Namespace{Kind: kind})
	}
	p, err := spawn.Start(t.Context(), cfg)
	_ = w.Close()
	if err != nil {
		return "", spoken, err
	}
	b, readErr := io.ReadAll(r)
	status, waitErr := p.Wait(t.Context())
	if readErr != nil || waitErr != nil || status.ExitStatus() != 7 {
		t.Errorf("%v, %v, status %d", readErr, waitErr, status.ExitStatus())
	}
	return string(b), spoken, p.Release()
}

// A real container is set up in a codec that neither spawn nor nsinit knows.
func TestContainerInTheThirdCodec(t *testing.T) {
	testenv.Root(t)
	said, spoken, err := start(t, cborCodec{})
	if err != nil || said != "third\n" {
		t.Fatalf("%q, %v", said, err)
	}
	if spoken["cbor"] < 4 || spoken["msgpack"] != 0 { // CONFIG, CONFIG_OK, REQUEST and REPLY
		t.Errorf("frames by their codec: %v", spoken)
	}
}

// unknown is a codec that the child was not given.
type unknown struct{ cborCodec }

func (unknown) Name() string { return "unknown" }

func TestContainerInACodecThatTheChildLacks(t *testing.T) {
	testenv.Root(t)
	_, _, err := start(t, unknown{})
	if err == nil || !strings.Contains(err.Error(), `no codec of ["unknown"] is among ["msgpack" "json" "cbor"]`) {
		t.Errorf("got %v, want a refusal with the names of both sides", err)
	}
}
