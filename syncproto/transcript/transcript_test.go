package transcript_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// record is both sides' transcripts of one conversation; fails says that the child does.
func record(t *testing.T, o transcript.Options, codecs []codec.Codec, fails bool) (parent, child *bytes.Buffer) {
	t.Helper()
	parent, child = &bytes.Buffer{}, &bytes.Buffer{}
	a, b := transporttest.Memory(transport.SeqPacket, 0)
	p, err := transport.NewParent(a, container.InitProfile(), transport.Options{Codecs: codecs,
		Trace: transcript.NewRecorder(parent, syncproto.Parent, o).Event})
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.NewChild(b, container.InitProfile(), transport.Options{Trace: transcript.NewRecorder(child,
		syncproto.Child, o).Event})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- converse(t, c, fails) }()
	config, err := syncproto.ToValue(container.Config{ID: "c1", Process: container.Process{Args: []string{"login",
		"--password=hunter2"}, Env: []string{"TOKEN=s3cret"}, Cwd: "/"},
		Mounts: make([]container.Mount, 2000)})
	if err == nil {
		err = p.Open(t.Context(), config, nil)
	}
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(t.Context()); err == nil {
			transport.CloseAll(req.FDs)
			err = p.Reply(t.Context(), syncproto.Value{})
		}
	}
	if fails != (err != io.EOF) {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	return parent, child
}

func converse(t *testing.T, c *transport.Child, fails bool) error {
	defer c.Close()
	_, _, err := c.Accept(t.Context())
	if err == nil {
		err = c.Confirm(t.Context())
	}
	if err == nil {
		err = c.Note(t.Context(), "info", "a line\x1b[31m")
	}
	if err == nil && fails {
		return c.Fail(t.Context(), &os.PathError{Op: "open", Path: "/x", Err: unix.ENOENT})
	}
	if err == nil {
		_, _, err = c.Call(t.Context(), "ready", syncproto.Value{})
	}
	if err == nil {
		err = c.Exec(t.Context())
	}
	return err
}

func read(t *testing.T, b []byte) *transcript.Transcript {
	t.Helper()
	tr, err := transcript.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// What either side recorded, in either codec, replays to the same end.
func TestRecordReadReplay(t *testing.T) {
	for _, codecs := range [][]codec.Codec{nil, {codec.JSON()}, {codec.JSON(), codec.MessagePack()}} {
		parent, child := record(t, transcript.Options{}, codecs, false)
		v, err := read(t, parent.Bytes()).Replay(container.InitProfile())
		if err != nil || v.Outcome != syncproto.Success {
			t.Errorf("the parent's: %+v, %v", v, err)
		}
		tr := read(t, child.Bytes())
		if v, err = tr.Replay(container.InitProfile()); err != nil || v.State != syncproto.Committed ||
			tr.Role != syncproto.Child {
			t.Errorf("the child's: %+v, %v", v, err)
		}
	}
	parent, _ := record(t, transcript.Options{}, nil, true)
	tr := read(t, parent.Bytes())
	last := tr.Events[len(tr.Events)-1]
	if v, err := tr.Replay(container.InitProfile()); err != nil || v.Outcome != syncproto.PeerError ||
		last.End != syncproto.PeerError || !strings.Contains(last.Error, "open /x: no such file") {
		t.Errorf("a failure: %+v, %+v, %v", v, last, err)
	}
}

// A transcript that was changed does not replay, and the error names the divergence.
func TestReplayFindsWhatCannotBe(t *testing.T) {
	parent, _ := record(t, transcript.Options{}, nil, false)
	for name, edit := range map[string]func(tr *transcript.Transcript){
		"a name":         func(tr *transcript.Transcript) { tr.Events[len(tr.Events)-4].Name = "hooks" },
		"a number":       func(tr *transcript.Transcript) { tr.Events[1].Header.Seq++ },
		"a frame":        func(tr *transcript.Transcript) { tr.Events = tr.Events[1:] },
		"an early EXEC":  func(tr *transcript.Transcript) { tr.Events[2].Header.Kind = syncproto.KindExec },
		"a false ending": func(tr *transcript.Transcript) { tr.Events = append(tr.Events[:3], tr.Events[len(tr.Events)-1]) },
	} {
		tr := read(t, parent.Bytes())
		edit(tr)
		if v, err := tr.Replay(container.InitProfile()); err == nil {
			t.Errorf("%s was changed, and it plays to %+v", name, v)
		}
	}
}

// Environments and arguments do not reach the file unless Options.Secrets is set.
func TestSecretsAreTakenOut(t *testing.T) {
	parent, child := record(t, transcript.Options{}, nil, false)
	for _, b := range [][]byte{parent.Bytes(), child.Bytes()} {
		if bytes.Contains(b, []byte("hunter2")) || bytes.Contains(b, []byte("s3cret")) ||
			!bytes.Contains(b, []byte("[2 values of 23 bytes are not shown]")) {
			t.Error("the secrets are in the file, or no mark is")
		}
	}
	parent, _ = record(t, transcript.Options{Secrets: true}, nil, false)
	if !bytes.Contains(parent.Bytes(), []byte("hunter2")) {
		t.Error("Secrets is set, and the arguments are not in the file")
	}
	parent, _ = record(t, transcript.Options{NoBodies: true}, nil, false)
	if bytes.Contains(parent.Bytes(), []byte("c1")) || parent.Len() > 1024 {
		t.Errorf("bodies are in the file of %d bytes", parent.Len())
	}
}

// A file that was cut anywhere is readable to its last whole record, and Read reports the cut.
func TestTornFiles(t *testing.T) {
	parent, _ := record(t, transcript.Options{NoBodies: true}, nil, false)
	whole := read(t, parent.Bytes())
	for n := range parent.Len() {
		tr, err := transcript.Read(bytes.NewReader(parent.Bytes()[:n]))
		switch {
		case n < 6:
			if !errors.Is(err, transcript.ErrFormat) {
				t.Fatalf("%d bytes: %v", n, err)
			}
		case err != nil && !errors.Is(err, transcript.ErrTorn):
			t.Fatalf("%d bytes: %v", n, err)
		case len(tr.Events) >= len(whole.Events):
			t.Fatalf("%d bytes hold all of %d events", n, len(tr.Events))
		}
	}
}

// The file of an earlier version stays readable.
func TestGolden(t *testing.T) {
	const path = "testdata/init.hftr"
	if golden.Updating() {
		parent, _ := record(t, transcript.Options{}, []codec.Codec{codec.JSON()}, false)
		if err := os.WriteFile(path, parent.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := read(t, b).Replay(container.InitProfile()); err != nil || v.Outcome != syncproto.Success {
		t.Errorf("%+v, %v", v, err)
	}
}

type broken struct{ n int }

func (w *broken) Write(b []byte) (int, error) {
	if w.n--; w.n < 0 {
		return 0, unix.ENOSPC
	}
	return len(b), nil
}

// A disk that is full ends the recording, not the conversation.
func TestAWriterThatFails(t *testing.T) {
	r := transcript.NewRecorder(&broken{2}, syncproto.Parent, transcript.Options{})
	for range 5 {
		r.Event(transport.Event{Header: syncproto.Header{Kind: syncproto.KindNote, Seq: 1}})
	}
	if !errors.Is(r.Err(), unix.ENOSPC) {
		t.Errorf("%v", r.Err())
	}
}

// fuzzed is the longest input that FuzzRead uses. The engine makes an input that it finds worth keeping shorter
// byte by byte, in a time that grows with the square of its length, and does nothing else meanwhile: with the golden
// file of 39,000 bytes among the seeds it never came to try anything. Every branch of the reader can be reached with
// a few frames, and long files are the business of TestGolden and TestTornFiles.
const fuzzed = 512

// short is a transcript of the first events of tr, and the last, without their bodies.
func shortTranscript(tr *transcript.Transcript, events int) []byte {
	var b bytes.Buffer
	r := transcript.NewRecorder(&b, tr.Role, transcript.Options{NoBodies: true})
	for i, e := range tr.Events {
		if i < events || i == len(tr.Events)-1 {
			r.Event(transport.Event{Sent: e.Sent, Header: e.Header, Name: e.Name, State: e.State, Phase: e.Phase, End: e.End})
		}
	}
	return b.Bytes()
}

// Reading is bounded whatever the file contains, and what was read can be replayed.
func FuzzRead(f *testing.F) {
	b, err := os.ReadFile("testdata/init.hftr")
	if err != nil {
		f.Fatal(err)
	}
	tr, err := transcript.Read(bytes.NewReader(b))
	if err != nil {
		f.Fatal(err)
	}
	for _, events := range []int{0, 1, 4} {
		seed := shortTranscript(tr, events)
		if len(seed) > fuzzed {
			f.Fatalf("a seed of %d bytes is never looked at", len(seed))
		}
		f.Add(seed)
	}
	f.Add(b[:64])
	f.Add([]byte("HFTR\x01\x00\xff\xff\xff\x03"))
	profile := container.InitProfile()
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > fuzzed {
			return
		}
		tr, err := transcript.Read(bytes.NewReader(b))
		if err == nil && tr == nil {
			t.Fatal("neither a transcript nor an error")
		}
		if tr != nil {
			_, _ = tr.Replay(profile)
		}
	})
}

// A Recorder without a writer records nothing, and says so.
func TestARecorderWithoutAWriter(t *testing.T) {
	for _, r := range []*transcript.Recorder{{}, transcript.NewRecorder(nil, syncproto.Child, transcript.Options{})} {
		r.Event(transport.Event{})
		if r.Err() == nil {
			t.Error("it records")
		}
	}
}
