package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// inFunctions returns the mistakes in the functions that communicated, numbered through all their versions. Those about
// files and cgroups are left out.
func inFunctions() []mistake {
	return []mistake{
		{ref: "F1a", was: "StartInitialization: a child that failed before its reporter was armed ended without a word, " +
			"and its parent took end of file for success",
			is: "end of file without EXEC is a death, wherever it comes", then: endsWithoutAWord, now: wordlessEndIsADeath},
		{ref: "F1b", was: "StartInitialization: the reporter ran on success too, and sent an error without words",
			is: "EXEC has said it: an error after it is an error with words, and none is success", then: successReportsAnError,
			now: successIsExec},
		{ref: "F4", was: "sendConfig: the parent closed its direction to mark the end of the configuration, and could say " +
			"nothing more", is: "MORE marks the end, and the parent replies after it",
			then: halfCloseIsTheEnd, now: repliesAfterTheConfiguration},
		{ref: "F13", was: "sendConfig: nobody said that the configuration had arrived",
			is:   "CONFIG_OK says so with a digest, and nothing goes on without",
			then: configurationUnread, now: configurationConfirmed},
		{ref: "F5", was: "sendError: an error was two writes; a death between them was a panic of the parent",
			is:   "an error is one frame, and cut at any byte it is the death of the child and no panic",
			then: errorCutBetween, now: errorCutAnywhere},
		{ref: "F8a", was: "setnsProcess.start: the parent waited for the child's exit before it killed it, and some " +
			"children never exit", is: "a conversation ends without the process",
			then: waitBeforeKill, now: endsWhileTheChildLives},
		{ref: "F8b", was: "setnsProcess.start: any end of file was success, a killed child's too",
			is: "a killed process is a death", then: killedIsSuccess,
			elsewhere: []string{"TestB8AKilledChildIsADeathAndNoSuccess"}},
		{ref: "F8c", was: "setnsProcess.start: a reset while reading hid the error that the child had sent before it died",
			is:   "reading goes on to the end of file, and an error found there counts",
			then: resetHidesTheError, now: errorBehindAReset, elsewhere: []string{"TestResetDoesNotHideWhatIsQueued"}},
		{ref: "F10", was: "syncParentHooks: the type of an answer was checked where decoding had failed, so any answer " +
			"would do, an error too",
			is: "the answer has the row's name or is a violation, and a refusal is an error", then: checkedInTheWrongPlace,
			now: answersHaveNames},
		{ref: "F12a", was: "parseSync: a child that joined a container could make its parent panic with a message",
			is:   "what the table does not have is a violation",
			then: messagePanics, now: unknownRequestIsAViolation},
		{ref: "F12b", was: "parseSync: a descriptor that came while the decoder read ahead was lost",
			is:   "descriptors belong to their frame, however frames run together",
			then: descriptorReadAhead, now: descriptorsStayWithTheirFrame},
		{ref: "F14a", was: "initProcess.start: a decoder for each message lost what the one before it had read ahead",
			is:   "frames written at once are read one by one",
			then: decoderReadsAhead, now: framesAtOnce},
		{ref: "F14b", was: "initProcess.start: a message without a type had the type of the one before it",
			is: "every frame is judged by itself", then: staleType, now: namelessAfterANamed},
		{ref: "F14c", was: `initProcess.start: a child that died was "could not synchronise", without where or why`,
			is:   "the failure says the state, the phase and what was waited for",
			then: couldNotSynchronise, now: failureSaysWhere},
		{ref: "F15b", was: "initProcess.start: the cause of a failure without a cause was a typed nil, and the parent " +
			"panicked", is: "a failure without a cause has words", then: typedNilPanics, now: wordlessEndIsADeath},
		{ref: "F15d", was: "initProcess.start: hooks ran as often as they were asked for", is: "a row says how often",
			then: hooksTwice, now: hooksOnce},
		{ref: "F15e", was: `initProcess.start: "No error following JSON procError payload" was a panic`,
			is: "an ERROR of any body is an error", then: noErrorFollowing, now: errorWithAnyBody},
		{ref: "F15f", was: "initProcess.start: a write that failed was told as a read", is: "what failed is what is told",
			then: writeToldAsRead, now: writeToldAsWrite},
		{ref: "F16", was: "writeSync: an answer did not say what it answered, so one too many answered the next question",
			is:   "an answer has its request's number",
			then: staleAnswer, now: answersHaveNumbers},
	}
}

// endsWithoutAWord is a child whose variable is not a number: it returns before it defers the function that would
// report it.
func endsWithoutAWord(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	start := func(variable string) (err error) {
		fd, err := strconv.Atoi(variable)
		if err != nil {
			return err
		}
		defer func() { _ = json.NewEncoder(child).Encode(genericError{Message: fmt.Sprint(fd, err)}) }()
		return nil
	}
	if err := start("3x"); err == nil {
		t.Fatal("3x is a number")
	}
	if err := child.shut(); err != nil { // as its exit does
		t.Fatal(err)
	}
	if err := parentG1(parent, configG2); err != nil {
		t.Errorf("the parent knows: %v", err)
	}
}

func wordlessEndIsADeath(t *testing.T) {
	for name, script := range map[string]func(r *raw){
		"at once":     func(*raw) {},
		"when opened": func(r *raw) { r.open() },
		"while the reply is written": func(r *raw) {
			r.open()
			r.send(syncproto.KindRequest, 0,
				`{"name":"ready","arg":null}`)
		},
		"when released": func(r *raw) {
			r.open()
			r.send(syncproto.KindRequest, 0,
				`{"name":"ready","arg":null}`)
			r.recv()
		},
	} {
		for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
			_, err := serve(t, against(t, typ, container.InitProfile(), script))
			// If the parent was writing meanwhile, nothing read it: that is a broken connection, and not success
			// either.
			var f *transport.Failure
			if writing := name == "at once" || name == "while the reply is written"; writing && errors.As(err, &f) &&
				f.Outcome == syncproto.Broken {
				if !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			want(t, err, syncproto.Died)
		}
	}
}

func successReportsAnError(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	start := func() (err error) {
		defer func() {
			e := genericError{}
			if err != nil {
				e.Message = err.Error()
			}
			_ = json.NewEncoder(child).Encode(e)
		}()
		return nil // Init returned, which it should not have
	}
	if err := errors.Join(start(), child.shut()); err != nil {
		t.Fatal(err)
	}
	var ierr *genericError
	if err := parentG1(parent, configG2); !errors.As(err, &ierr) || ierr.Message != "" {
		t.Errorf("%v, want an error without words", err)
	}
}

func successIsExec(t *testing.T) {
	_, err := serve(t, peers(t, transport.SeqPacket, container.InitProfile(), goAhead))
	want(t, err, syncproto.Success)
	_, err = serve(t, peers(t, transport.SeqPacket, container.InitProfile(),
		func(ctx context.Context, child *transport.Child) error {
			if err := goAhead(ctx, child); err != nil {
				return err
			}
			return &exec.Error{Name: "sh", Err: fs.ErrNotExist} // the execution returned
		}))
	if f := want(t, err, syncproto.PeerError); !errors.Is(f, fs.ErrNotExist) || f.State != syncproto.Committed {
		t.Errorf("%v", f)
	}
}

func halfCloseIsTheEnd(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	_, err := parent.Write(configG2)
	if err := errors.Join(err, parent.shut()); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(child); string(b) != string(configG2) || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := writeSync(parent, run); err != unix.EPIPE {
		t.Errorf("the parent can still say run: %v", err)
	}
}

func repliesAfterTheConfiguration(t *testing.T) {
	for _, typ := range []transport.Type{transport.SeqPacket, transport.Stream} {
		requests, err := serve(t, peers(t, typ, container.InitProfile(), goAhead))
		want(t, err, syncproto.Success)
		if requests != "ready" {
			t.Errorf("requests %q", requests)
		}
	}
}

func configurationUnread(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	_, err := parent.Write(configG2)
	if err := errors.Join(err, parent.shut()); err != nil {
		t.Errorf("the parent knows that nobody has read it: %v", err)
	}
	child.Close()
}

func configurationConfirmed(t *testing.T) {
	for name, test := range map[string]struct {
		ok   string
		want syncproto.Outcome
	}{
		"nothing":        {"", syncproto.Died},
		"another digest": {encode(syncproto.ConfigOK{Size: 2, Digest: syncproto.Digest([]byte("[]"))}), syncproto.Violated},
		"another size":   {encode(syncproto.ConfigOK{Size: 3, Digest: syncproto.Digest([]byte("{}"))}), syncproto.Violated},
	} {
		p := against(t, transport.SeqPacket, container.InitProfile(), func(r *raw) {
			r.recv()
			config, _ := r.recv()
			r.send(syncproto.KindHelloAck, 1, encode(syncproto.HelloAck{Version: 1, Codec: "json",
				Limits: syncproto.DefaultLimits(), PID: 1}))
			if test.ok != "" {
				r.send(syncproto.KindConfigOK, config.Seq, test.ok)
				r.recv()
			}
		})
		if err := p.Open(t.Context(), syncproto.MapValue(), nil); err == nil {
			t.Errorf("%s: the configuration has arrived", name)
		} else {
			want(t, err, test.want)
		}
	}
}

func errorCutBetween(t *testing.T) {
	err := told(t, 0, `{"type":1}`)
	if err == nil || !strings.HasPrefix(err.Error(), "panic: No error following") {
		t.Errorf("%v", err)
	}
}

func errorCutAnywhere(t *testing.T) {
	whole := len((&raw{}).frame(syncproto.KindError, 0, notFound, 0))
	for n := 0; n <= whole; n++ {
		p := against(t, transport.Stream, container.InitProfile(), func(r *raw) {
			r.open()
			_, _ = r.e.Write(r.frame(syncproto.KindError, 0, notFound, 0)[:n])
		})
		_, err := serve(t, p)
		switch {
		case n == whole:
			if f := want(t, err, syncproto.PeerError); !errors.Is(f, fs.ErrNotExist) {
				t.Errorf("%v", f)
			}
		case n == 0:
			want(t, err, syncproto.Died)
		default:
			if f := want(t, err, syncproto.Died); !errors.Is(f, io.ErrUnexpectedEOF) {
				t.Errorf("cut after %d of %d bytes: %v", n, whole, f)
			}
		}
	}
}

func init() {
	// A child that has sent something wrong, and then neither reads nor ends.
	helpers["lingers"] = func() {
		_, _ = os.NewFile(3, "socket").Write([]byte("what is this"))
		_, _ = io.ReadAll(os.Stdin)
	}
	// A child that reads its configuration, and waits.
	helpers["silent"] = func() {
		f := os.NewFile(3, "socket")
		_, _ = io.ReadAll(f)
		_, _ = f.Write([]byte("."))
		_, _ = io.ReadAll(os.Stdin)
	}
}

// lingering starts such a child, which only ends when it is killed.
func lingering(t *testing.T, e *end, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperVariable+"="+name)
	f := os.NewFile(uintptr(e.fd), "socket")
	e.fd = -1
	cmd.ExtraFiles = []*os.File{f}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	t.Cleanup(func() { _ = stdin.Close() })
	return cmd
}

func waitBeforeKill(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	cmd := lingering(t, child, "lingers")
	var killed atomic.Bool
	done := make(chan error, 1)
	go func() {
		var m syncT
		err := json.NewDecoder(parent).Decode(&m)
		if err == nil {
			err = errors.New("that was no JSON")
		}
		// What the parent did on an error: it waited, and only its caller would have killed the child.
		if werr := cmd.Wait(); werr == nil || !killed.Load() {
			err = fmt.Errorf("the child ended by itself: %w", err)
		}
		done <- err
	}()
	killed.Store(true)
	_ = cmd.Process.Kill()
	if err := <-done; err == nil || strings.Contains(err.Error(), "by itself") {
		t.Error(err)
	}
}

func endsWhileTheChildLives(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	cmd := lingering(t, child, "lingers")
	p, err := transport.NewParent(take(t, parent), container.InitProfile(), today)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Open(t.Context(), syncproto.MapValue(), nil)
	want(t, err, syncproto.Violated)
	_ = p.Close()
	if err := cmd.Process.Signal(unix.Signal(0)); err != nil {
		t.Errorf("the child is gone: %v", err)
	}
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
}

func killedIsSuccess(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	cmd := lingering(t, child, "silent")
	_, err := parent.Write(configG2)
	if err := errors.Join(err, parent.shut()); err != nil {
		t.Fatal(err)
	}
	var said [1]byte
	if _, err := io.ReadFull(parent, said[:]); err != nil { // it has read the configuration
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var ierr *genericError
	if err := json.NewDecoder(parent).Decode(&ierr); err != io.EOF || ierr != nil {
		t.Errorf("%v, %v, want end of file, as after an execution", err, ierr)
	}
}
