package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// transcript is one conversation as it was on the socket. Its file has a line for each write:
//
//	# words
//	profile: the generation's name
//	historic: what its parent made of it
//	P "bytes"          the parent wrote, the bytes as a Go string in either quotes
//	C fd "bytes"       the child wrote, and one descriptor rode along
//	C init "bytes"     on the second socket that HEAD has for the configuration
//	P SHUT_WR          the parent closed its direction
//	C EOF executed     the socket closed, and why: "executed", "killed" or "exited"; the wire shows no difference
type transcript struct {
	name     string
	profile  string
	historic string
	lines    []line
}

type line struct {
	parent bool // written by the parent
	init   bool // on HEAD's second socket
	fd     bool // with a descriptor
	event  string
	bytes  []byte
}

func transcripts(t *testing.T) []transcript {
	t.Helper()
	files, err := filepath.Glob("testdata/*.transcript")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	var list []transcript
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tr, err := parse(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		tr.name = strings.TrimSuffix(filepath.Base(file), ".transcript")
		list = append(list, tr)
	}
	return list
}

func parse(text string) (tr transcript, err error) {
	for n, s := range strings.Split(strings.TrimSpace(text), "\n") {
		key, rest, _ := strings.Cut(s, " ")
		switch key {
		case "#":
		case "profile:":
			tr.profile = rest
		case "historic:":
			tr.historic = rest
		case "P", "C":
			l, err := parseLine(key == "P", rest)
			if err != nil {
				return tr, fmt.Errorf("line %d: %w", n+1, err)
			}
			tr.lines = append(tr.lines, l)
		default:
			return tr, fmt.Errorf("line %d: %q", n+1, s)
		}
	}
	if tr.profile == "" || tr.historic == "" || len(tr.lines) == 0 || !strings.HasPrefix(tr.lines[len(tr.lines)-1].event,
		"EOF ") {
		return tr, errors.New("a transcript has a profile, a historic verdict, lines, and an end")
	}
	return tr, nil
}

func parseLine(parent bool, s string) (l line, err error) {
	l.parent = parent
	if rest, ok := strings.CutPrefix(s, "init "); ok {
		l.init, s = true, rest
	}
	if rest, ok := strings.CutPrefix(s, "fd "); ok {
		l.fd, s = true, rest
	}
	switch s {
	case "SHUT_WR", "EOF executed", "EOF killed", "EOF exited":
		l.event = s
		return l, nil
	}
	text, err := strconv.Unquote(s)
	l.bytes = []byte(text)
	return l, err
}

// side plays one side of a transcript: it writes its own lines, and reads the other side's, which must be the same
// bytes. The other side may read two of its lines at once, unless it waits between them. G2 lost the second line then,
// which is a mistake with a test of its own.
type side struct {
	parent     bool
	wire, init *framer
	packets    bool
}

func (s *side) play(tr transcript) error {
	for i, l := range tr.lines {
		if i > 0 && l.parent == s.parent && tr.lines[i-1].parent == s.parent {
			if err := s.wire.e.drained(); err != nil {
				return err
			}
		}
		if err := s.line(l); err != nil {
			return fmt.Errorf("line %d, %s: %w", i+1, l, err)
		}
	}
	return nil
}

func (l line) String() string {
	who := "C"
	if l.parent {
		who = "P"
	}
	return fmt.Sprintf("%s %s%q", who, l.event, l.bytes)
}

func (s *side) line(l line) error {
	f := s.wire
	if l.init {
		f = s.init
	}
	switch {
	case l.parent != s.parent:
		return s.expect(f, l)
	case l.event == "SHUT_WR":
		return f.e.shut()
	case l.event != "":
		f.e.Close()
		return nil
	case l.fd:
		null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(null)
		return f.e.send(l.bytes, null)
	}
	return f.e.send(l.bytes)
}

// expect reads what the other side writes in line l. One write can contain several values, so one read can too.
func (s *side) expect(f *framer, l line) error {
	var got []byte
	var err error
	switch {
	case l.event == "SHUT_WR":
		return nil // not read here: the next read finds the end of file
	case l.event != "":
		if s.parent {
			if n, err := f.e.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				return fmt.Errorf("%d bytes, %v, want end of file", n, err)
			}
		}
		return nil
	case l.fd:
		var fd int
		if got, fd, err = f.descriptor(); err == nil {
			err = unix.Close(fd)
		}
	case s.packets && !l.init:
		b := make([]byte, 1<<16)
		var n int
		n, err = f.e.Read(b)
		got = b[:n]
	default:
		for len(got) < len(l.bytes) && err == nil {
			var b []byte
			b, err = f.next()
			got = append(got, b...)
		}
	}
	if err == nil && !bytes.Equal(got, l.bytes) {
		err = fmt.Errorf("got %q", got)
	}
	return err
}

// sockets returns the two ends of the socket of a generation.
func sockets(t *testing.T, profile string) (parent, child *side) {
	t.Helper()
	typ := unix.SOCK_STREAM
	if profile == "head" {
		typ = unix.SOCK_SEQPACKET
	}
	a, b := pair(t, typ)
	c, d := pair(t, unix.SOCK_STREAM)
	packets := typ == unix.SOCK_SEQPACKET
	return &side{true, newFramer(a), newFramer(c), packets}, &side{false, newFramer(b), newFramer(d), packets}
}

// TestTranscriptsReplay plays every transcript over a real socket between two scripts, each of which reads the bytes
// that the other wrote.
func TestTranscriptsReplay(t *testing.T) {
	for _, tr := range transcripts(t) {
		t.Run(tr.name, func(t *testing.T) {
			parent, child := sockets(t, tr.profile)
			done := make(chan error, 1)
			go func() { done <- child.play(tr) }()
			if err := parent.play(tr); err != nil {
				t.Errorf("parent: %v", err)
				parent.wire.e.Close()
			}
			if err := <-done; err != nil {
				t.Errorf("child: %v", err)
			}
		})
	}
}
