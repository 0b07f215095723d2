package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// askHooks is a child of G3a that asks for its hooks. It checks the type of the answer only if decoding has failed.
func askHooks(e *end, dec *json.Decoder) error {
	if err := writeSync(e, hooks); err != nil {
		return err
	}
	var m syncT
	if err := dec.Decode(&m); err != nil {
		if err == io.EOF {
			return errors.New("parent closed synchronisation channel")
		}
		if m.Type != resume {
			return errors.New("invalid synchronisation flag from parent")
		}
	}
	return nil
}

func checkedInTheWrongPlace(t *testing.T) {
	for _, answer := range []string{`{"type":99}`, `{"type":1}`, `{}`} {
		parent, child := pair(t, unix.SOCK_STREAM)
		if _, err := parent.Write([]byte(answer)); err != nil {
			t.Fatal(err)
		}
		if err := askHooks(child, json.NewDecoder(child)); err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// asking runs a real child that requests its hooks, with a parent by hand that replies with script. It returns the
// child's error.
func asking(t *testing.T, script func(r *raw, request syncproto.Header)) error {
	t.Helper()
	a, b := pair(t, unix.SOCK_SEQPACKET)
	child, err := transport.NewChild(take(t, b), container.InitProfile(), today)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer a.Close()
		r := &raw{e: a, buf: make([]byte, 1<<17)}
		r.send(syncproto.KindHello, 0, encode(syncproto.Greeting(container.InitProfile(), []string{"json"},
			syncproto.Limits{}, "")))
		r.send(syncproto.KindConfig, 0, "{}")
		r.recv()
		r.recv()
		request, _ := r.recv()
		script(r, request)
		r.recv() // its last word
	}()
	_, _, err = child.Accept(t.Context())
	err = errors.Join(err, child.Confirm(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = child.Call(t.Context(), "hooks", syncproto.Value{})
	if err == nil {
		_, _, err = child.Call(t.Context(), "ready", syncproto.Value{})
	}
	_ = child.Fail(t.Context(), err)
	<-done
	return err
}

func answersHaveNames(t *testing.T) {
	for _, answer := range []string{`{"name":"run","arg":null}`, `{"name":"99","arg":null}`, `{"name":"","arg":null}`,
		`{}`, `{"name":"hooksDone","arg":null,"type":4}`} {
		err := asking(t, func(r *raw, request syncproto.Header) { r.send(syncproto.KindReply, request.Seq, answer) })
		want(t, err, syncproto.Violated)
	}
	// An error is not a reply, but the error of the request.
	err := asking(t, func(r *raw, request syncproto.Header) { r.send(syncproto.KindError, request.Seq, notFound) })
	var refused *transport.Refused
	if !errors.As(err, &refused) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want a refusal", err)
	}
}

func answersHaveNumbers(t *testing.T) {
	for name, script := range map[string]func(r *raw, request syncproto.Header){
		"twice": func(r *raw, q syncproto.Header) {
			r.send(syncproto.KindReply, q.Seq, done)
			r.send(syncproto.KindReply, q.Seq, runs)
		},
		"another number": func(r *raw, q syncproto.Header) { r.send(syncproto.KindReply, q.Seq-1, done) },
		"no number":      func(r *raw, q syncproto.Header) { r.send(syncproto.KindReply, 0, done) },
	} {
		if f := want(t, asking(t, script), syncproto.Violated); f.Request == "" {
			t.Errorf("%s: %v does not name the request", name, f)
		}
	}
}

const (
	done = `{"name":"hooksDone","arg":null}`
	runs = `{"name":"run","arg":null}`
)

// staleAnswer replies twice to one request: the second reply arrives before the second request is sent.
func staleAnswer(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	if err := errors.Join(writeSync(parent, resume), writeSync(parent, resume)); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(child)
	if err := errors.Join(askHooks(child, dec), askHooks(child, dec)); err != nil {
		t.Errorf("the second request waits for a reply of its own: %v", err)
	}
	f := newFramer(parent)
	for range 2 { // the parent only finds them now
		if b, err := f.next(); err != nil || string(b) != `{"type":3}` {
			t.Errorf("%s, %v", b, err)
		}
	}
}

// resetHidesTheError is a parent on packets that returns after the first failed read.
func resetHidesTheError(t *testing.T) {
	parent, child := pair(t, unix.SOCK_SEQPACKET)
	_, err := parent.Write([]byte(`{"type":"procRun"}`)) // unread when the child ends
	_, err2 := child.Write([]byte(`{"type":"procError","arg":{"message":"no such file or directory"}}`))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	child.Close()
	b := make([]byte, 4096)
	if _, err := parent.Read(b); err != unix.ECONNRESET {
		t.Errorf("first %v, want %v", err, unix.ECONNRESET)
	}
	if n, err := parent.Read(b); err != nil || !strings.Contains(string(b[:n]), "no such file") {
		t.Errorf("after it %q, %v: what the child had sent", b[:n], err)
	}
}

func errorBehindAReset(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		_, err := serve(t, against(t, typ, container.InitProfile(), func(r *raw) {
			r.send(syncproto.KindError, 0, notFound) // HELLO and CONFIG stay unread
		}))
		if f := want(t, err, syncproto.PeerError); !errors.Is(f, fs.ErrNotExist) {
			t.Errorf("%v", f)
		}
	}
}

func messagePanics(t *testing.T) {
	for _, m := range []string{"procReady", "procHooks"} {
		parent, child := pair(t, unix.SOCK_STREAM)
		if err := errors.Join(child.send([]byte(`{"pid":1}`)), writeSync(child, m)); err != nil {
			t.Fatal(err)
		}
		err := survive(func() error { return parentG3b(parent, []byte("blob"), configG2, true) })
		if err == nil || !strings.HasPrefix(err.Error(), "panic: unexpected") {
			t.Errorf("%s: %v", m, err)
		}
	}
}

func unknownRequestIsAViolation(t *testing.T) {
	for _, name := range []string{"hooks", "mount", "", "no such request"} {
		_, err := serve(t, against(t, transport.SeqPacket, container.SetnsProfile(), func(r *raw) {
			r.open()
			r.send(syncproto.KindRequest, 0, encode(syncproto.Call{Name: name}))
			r.recv()
		}))
		if f := want(t, err, syncproto.Violated); f.State != syncproto.Configured {
			t.Errorf("%q: %v", name, f)
		}
	}
}

// descriptorReadAhead sends a message and then a descriptor, without a wait between. The decoder reads the descriptor's
// bytes together with the message's, as plain reads do.
func descriptorReadAhead(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = errors.Join(writeSync(child, "procConsole"), child.send([]byte("/dev/ptmx\x00"), int(w.Fd())), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(parent)
	for range 2 { // the second one makes it read on: the kernel ends a read before a descriptor
		var m syncS
		if err := dec.Decode(&m); err != nil {
			break
		}
	}
	if b, err := io.ReadAll(r); err != nil || len(b) > 0 { // end of file: no copy of the other end is left
		t.Errorf("%q, %v", b, err)
	}
}

func descriptorsStayWithTheirFrame(t *testing.T) {
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	p := against(t, transport.Stream, container.InitProfile(), func(r *raw) {
		r.open()
		_, _ = r.e.Write(r.frame(syncproto.KindNote, 0, `{"level":"debug","text":"a terminal comes"}`, 0))
		_ = r.e.send(r.frame(syncproto.KindRequest, 0, `{"name":"console","arg":null}`, 1), int(pw.Fd()))
		r.recv()
	})
	if err := p.Open(t.Context(), syncproto.MapValue(), nil); err != nil {
		t.Fatal(err)
	}
	req, err := p.Next(t.Context())
	if err != nil || len(req.FDs) != 1 {
		t.Fatalf("%+v, %v", req, err)
	}
	_ = pw.Close()
	if _, err := unix.Write(req.FDs[0], []byte("here")); err != nil {
		t.Error(err)
	}
	transport.CloseAll(req.FDs)
	if b, err := io.ReadAll(pr); string(b) != "here" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func decoderReadsAhead(t *testing.T) {
	// One read returns both halves of an error, and the second decoder finds nothing.
	if err := told(t, 0, `{"type":1}`+earlyError); err == nil || !strings.HasPrefix(err.Error(),
		"panic: No error following") {
		t.Errorf("%v", err)
	}
	if err := told(t, 0, `{"type":1}`, earlyError); err == nil || err.Error() != "no such file or directory" {
		t.Errorf("apart: %v", err)
	}
}

func framesAtOnce(t *testing.T) {
	for _, last := range []string{notFound, `{}`} {
		_, err := serve(t, against(t, transport.Stream, container.InitProfile(), func(r *raw) {
			r.open()
			var b []byte
			for range 5 {
				b = append(b, r.frame(syncproto.KindNote, 0, `{"level":"debug","text":"x"}`, 0)...)
			}
			_, _ = r.e.Write(append(b, r.frame(syncproto.KindError, 0, last, 0)...))
		}))
		if f := want(t, err, syncproto.PeerError); errors.Is(f, fs.ErrNotExist) != (last == notFound) {
			t.Errorf("%v", f)
		}
	}
}

func staleType(t *testing.T) {
	m := syncT{}
	dec := json.NewDecoder(strings.NewReader(`{"type":1}{}`))
	for range 2 {
		if err := dec.Decode(&m); err != nil || m.Type != failed {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

func namelessAfterANamed(t *testing.T) {
	requests, err := serve(t, against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) {
		r.open()
		r.send(syncproto.KindRequest, 0, `{"name":"hooks","arg":null}`)
		r.recv()
		r.send(syncproto.KindRequest, 0, `{"arg":null}`)
		r.recv()
	}))
	want(t, err, syncproto.Violated)
	if requests != "hooks" {
		t.Errorf("requests %q, want hooks", requests)
	}
}

func couldNotSynchronise(t *testing.T) {
	if err := told(t, 0); err == nil || err.Error() != "could not synchronise with container process" {
		t.Errorf("%v", err)
	}
}

func failureSaysWhere(t *testing.T) {
	_, err := serve(t, against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) { r.open() }))
	if f := want(t, err, syncproto.Died); f.State != syncproto.Configured || f.Phase != "setup" ||
		f.Wait != syncproto.WaitPeer || !strings.Contains(f.Error(), "setup") {
		t.Errorf("%+v: %v", f.Verdict, f)
	}
}

// dies is a child of G3a that reads the configuration, writes what it is given, and dies.
func dies(t *testing.T, says string, hook func()) error {
	t.Helper()
	parent, child := pair(t, unix.SOCK_STREAM)
	if _, err := child.Write([]byte(`{"pid":1}` + says)); err != nil {
		t.Fatal(err)
	}
	if err := child.shut(); err != nil {
		t.Fatal(err)
	}
	return survive(func() error { return parentG3a(parent, []byte("blob"), configG2, hook) })
}

func typedNilPanics(t *testing.T) {
	if err := dies(t, "", nil); err == nil || !strings.Contains(err.Error(), "nil pointer dereference") {
		t.Errorf("%v", err)
	}
}

func hooksTwice(t *testing.T) {
	ran := 0
	_ = dies(t, `{"type":3}{"type":3}{"type":0}`, func() { ran++ })
	if ran != 2 {
		t.Errorf("the hooks ran %d times", ran)
	}
}

func hooksOnce(t *testing.T) {
	requests, err := serve(t, against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) {
		r.open()
		for range 2 {
			r.send(syncproto.KindRequest, 0, `{"name":"hooks","arg":null}`)
			r.recv()
		}
	}))
	if f := want(t, err, syncproto.Violated); requests != "hooks" || !strings.Contains(f.Error(), "more than 1 times") {
		t.Errorf("requests %q, %v", requests, f)
	}
	// A correct child does not send it either.
	_, err = serve(t, peers(t, transport.SeqPacket, container.InitProfile(),
		func(ctx context.Context, child *transport.Child) error {
			for range 2 {
				if _, _, err := child.Call(ctx, "hooks", syncproto.Value{}); err != nil {
					return fmt.Errorf("before a byte left: %w", err)
				}
			}
			return nil
		}))
	if f := want(t, err, syncproto.PeerError); !strings.Contains(f.Error(), "before a byte left") {
		t.Errorf("%v", f)
	}
}

func noErrorFollowing(t *testing.T) {
	if err := dies(t, `{"type":1}`, nil); err == nil || !strings.HasPrefix(err.Error(), "panic: No error following") {
		t.Errorf("%v", err)
	}
}

func errorWithAnyBody(t *testing.T) {
	for _, body := range []string{``, `null`, `{}`, `[]`, `"x"`, `{"code":3}`, `{"nodes":null}`, "\x00\xff"} {
		_, err := serve(t, against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) {
			r.open()
			r.send(syncproto.KindError, 0, body)
		}))
		want(t, err, syncproto.PeerError)
	}
}

// deaf closes a side's direction of reading, so that a write to it fails immediately; its own writes, before and after,
// still arrive.
func (e *end) deaf() error { return unix.Shutdown(e.fd, unix.SHUT_RD) }

func writeToldAsRead(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	done := make(chan error, 1)
	go func() {
		_, err := child.Write([]byte(`{"pid":1}`))
		_, err2 := io.ReadFull(child, make([]byte, len("blob")+len(configG2)))
		done <- errors.Join(err, err2, child.deaf(), writeSync(child, ready))
	}()
	err := parentG3a(parent, []byte("blob"), configG2, nil)
	if !errors.Is(err, unix.EPIPE) || !strings.HasPrefix(err.Error(), "reading syncT") {
		t.Errorf("%v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func writeToldAsWrite(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		_, err := serve(t, against(t, typ, container.InitProfile(), func(r *raw) {
			r.open()
			_ = r.e.deaf()
			r.send(syncproto.KindRequest, 0, `{"name":"ready","arg":null}`)
		}))
		outcome := syncproto.Broken
		if f := (*transport.Failure)(nil); errors.As(err, &f) && f.Outcome == syncproto.Died {
			outcome = f.Outcome // it has closed its end meanwhile
		}
		if f := want(t, err, outcome); !errors.Is(f, unix.EPIPE) || !strings.Contains(f.Error(), "sendmsg") ||
			strings.Contains(f.Error(), "recv") {
			t.Errorf("%v", f)
		}
	}
}
