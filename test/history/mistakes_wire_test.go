package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onTheWire returns the mistakes in the messages themselves.
func onTheWire() []mistake {
	return []mistake{
		{ref: "B1", was: "a newline behind the configuration stayed unread at certain lengths, and the child's close reset " +
			"the parent's connection",
			is: "lengths say where a message ends, and every size is read to its end", then: newlineLeftUnread,
			elsewhere: []string{"TestB1NothingIsLeftUnreadAtAnySize"}},
		{ref: "B2", was: "messages and error codes were numbers, and the numbers moved",
			is: "requests have names, and tables that differ are found out in the greeting", then: numbersMoved,
			elsewhere: []string{"TestB2RequestsHaveNamesAndTablesAHash"}},
		{ref: "B3", was: "a message without a type was the first type, ready", is: "a name that is missing is a violation",
			then:      zeroIsReady,
			elsewhere: []string{"TestB3AMissingNameIsAnError"}},
		{ref: "B4", was: "an error that came early was decoded as ready: the error was lost, or was success",
			is:   "ERROR is a kind of frame, also before anything is agreed",
			then: errorIsReady, elsewhere: []string{"TestB4AnErrorBeforeAnythingIsAgreedIsThatError"}},
		{ref: "B5", was: "names were matched in any case, and the last of several won", is: "a name stands once and exactly",
			then:      lastNameWins,
			elsewhere: []string{"TestB5ANameStandsOnceAndExactly"}},
		{ref: "B6", was: "an error lost its number, was quoted once more at every level, and without a stack was a panic",
			is: "numbers travel by name, words once, and any body of ERROR is an error", then: errorsFellApart,
			elsewhere: []string{"TestB6ErrnoSurvivesAndWordsAreNotQuotedTwice"}},
		{ref: "B7", was: "errors were encoded by their exported fields, most of them as {}", is: "types of errors survive",
			then:      errorsAsFields,
			elsewhere: []string{"TestB7TypesOfErrorsSurvive"}},
		{ref: "B8", was: "nothing bounded a wait: a leaked copy of the socket hung the parent of a dead child",
			is:   "every wait ends",
			then: leakedCopyHangs, elsewhere: []string{"TestB8EveryWaitEnds", "TestB8AStoppedChildDoesNotHangItsParent",
				"TestB8ADeadChildWithALeakedSocketDoesNotHangItsParent",
				"TestB8AKilledChildIsADeathAndNoSuccess", "TestB8AWriteThatNobodyReadsEnds"}},
		{ref: "B9", was: "files made of blocking sockets refused deadlines", is: "deadlines work on both ends",
			then:      noDeadlines,
			elsewhere: []string{"TestB9DeadlinesWorkOnBothEnds"}},
	}
}

// newlineLeftUnread makes the child decode a configuration of a given length, and close.
func newlineLeftUnread(t *testing.T) {
	for k := 1; k <= 5; k++ {
		for d := -1; d <= 1; d++ {
			size := 512*(1<<k-1) + d
			parent, child := pair(t, unix.SOCK_STREAM)
			config := map[string]string{"x": strings.Repeat("x", size-len(`{"x":""}`))}
			if err := json.NewEncoder(parent).Encode(config); err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.NewDecoder(child).Decode(&got); err != nil {
				t.Fatal(err)
			}
			child.Close()
			_, err := parent.Read(make([]byte, 1))
			if want := map[bool]error{true: unix.ECONNRESET, false: io.EOF}[d == 0]; err != want {
				t.Errorf("a configuration of %d bytes: %v, want %v", size, err, want)
			}
		}
	}
}

// numbersMoved sends a parent of G3a what G2 wrote for run.
func numbersMoved(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	if err := errors.Join(writeSync(child, runG2), child.shut()); err != nil {
		t.Fatal(err)
	}
	ran := 0
	if _, err := readG3a(parent, func() { ran++ }); err != nil || ran != 1 {
		t.Errorf("%d hooks ran for the bytes of run, %v", ran, err)
	}
	// On one day in January 2016 the code for a failure of the system was 9, and 10 after another code was inserted.
	old, after := []string{8: "ConsoleNotExists", 9: "SystemError"}, []string{8: "ContainerNotPaused", 9: "ConsoleExists",
		10: "SystemError"}
	var e genericError
	if err := json.Unmarshal([]byte(`{"ECode":9}`), &e); err != nil || old[e.ECode] == after[e.ECode] {
		t.Errorf("9 is %s and %s, %v", old[e.ECode], after[e.ECode], err)
	}
}

// readG3a reads the messages after the opening as parentG3a does, until there are no more.
func readG3a(e *end, hook func()) (sentRun bool, err error) {
	dec := json.NewDecoder(e)
	for {
		var m syncT
		if err := dec.Decode(&m); err == io.EOF {
			return sentRun, nil
		} else if err != nil {
			return sentRun, err
		}
		switch m.Type {
		case ready:
			sentRun = true
		case hooks:
			hook()
		}
	}
}

// configG2 is the configuration of the tests below; its content does not matter.
var configG2 = []byte(`{"args":["/bin/sh"]}`)

// told runs a parent of G2 with a child that reads the configuration, writes messages, each with one write, and reads
// some answers before it closes. It returns the parent's error.
func told(t *testing.T, answers int, messages ...string) error {
	t.Helper()
	parent, child := pair(t, unix.SOCK_STREAM)
	done := make(chan error, 1)
	go func() {
		defer child.Close()
		f := newFramer(child)
		_, err := f.next()
		for _, m := range messages {
			_, e := child.Write([]byte(m))
			err = errors.Join(err, e, child.drained())
		}
		for range answers {
			_, e := f.next()
			err = errors.Join(err, e)
		}
		done <- err
	}()
	result := survive(func() error { return parentG2(parent, configG2) })
	parent.Close()
	if err := <-done; err != nil {
		t.Errorf("child: %v", err)
	}
	return result
}

func zeroIsReady(t *testing.T) {
	for _, m := range []string{`{}`, `{"typ":1}`, `{"error":"no such file or directory"}`} {
		if err := told(t, 1, m); err != nil {
			t.Errorf("%s was not ready: %v", m, err)
		}
	}
}

const earlyError = `{"Timestamp":"2016-02-24T10:00:00Z","ECode":10,"Cause":"","Message":"no such file or directory","Stack":{"Frames":[]}}`

func errorIsReady(t *testing.T) {
	// The child reads the answer: its failure becomes success.
	if err := told(t, 1, earlyError); err != nil {
		t.Errorf("%v", err)
	}
	// The child does not read it: the parent gets an error, but not the child's. Here it writes to a child that is
	// gone.
	parent, child := pair(t, unix.SOCK_STREAM)
	if _, err := child.Write([]byte(earlyError)); err != nil {
		t.Fatal(err)
	}
	child.Close()
	var m syncT
	if err := json.NewDecoder(parent).Decode(&m); err != nil || m.Type != ready {
		t.Fatalf("%+v, %v", m, err)
	}
	if err := writeSync(parent, run); err != unix.EPIPE {
		t.Errorf("%v, want %v", err, unix.EPIPE)
	}
}

func lastNameWins(t *testing.T) {
	var m syncS
	if err := json.Unmarshal([]byte(`{"type":"procRun","TYPE":"procError","Type":"x"}`), &m); err != nil || m.Type != "x" {
		t.Errorf("%+v, %v", m, err)
	}
}

func errorsFellApart(t *testing.T) {
	b, err := json.Marshal(&genericError{Err: unix.ENOENT, Message: unix.ENOENT.Error()})
	var back *genericError
	if err := errors.Join(err, json.Unmarshal(b, &back)); err != nil {
		t.Fatal(err)
	}
	if back.Err != nil || errors.Is(back, fs.ErrNotExist) {
		t.Errorf("the number survived: %v", back.Err)
	}
	if err := survive(func() error { return errors.New(back.Stack.Frames[0].Function) }); err == nil ||
		!strings.HasPrefix(err.Error(), "panic: ") {
		t.Errorf("no stack: %v", err)
	}
	text := `no such "file" at all`
	for range 4 {
		text = "cause " + strconv.Quote(text)
	}
	if n := strings.Count(text, `\`); n < 40 {
		t.Errorf("only %d backslashes in %s", n, text)
	}
}

func errorsAsFields(t *testing.T) {
	for err, want := range map[error]string{
		errors.New("out of luck"):                               `{}`,
		&fs.PathError{Op: "open", Path: "/a", Err: unix.ENOENT}: `{"Op":"open","Path":"/a","Err":2}`,
		fmt.Errorf("open: %w", unix.ENOENT):                     `{}`,
	} {
		if b, e := json.Marshal(err); e != nil || string(b) != want {
			t.Errorf("%v is %s, want %s", err, b, want)
		}
	}
	if b, _ := json.Marshal("a\xffb"); !bytes.Contains(b, []byte(`\ufffd`)) {
		t.Errorf("a byte that is no text is %s", b)
	}
}

// leakedCopyHangs closes the child's end while a copy of it stays open: the parent's wait only ends with the copy.
func leakedCopyHangs(t *testing.T) {
	parent, child := pair(t, unix.SOCK_STREAM)
	leak, err := unix.FcntlInt(uintptr(child.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var dead, leaked atomic.Bool
	done := make(chan error, 1)
	go func() {
		err := parentG1(parent, configG2)
		if !dead.Load() || !leaked.Load() {
			err = errors.New("the parent did not wait")
		}
		done <- err
	}()
	if _, err := newFramer(child).next(); err != nil {
		t.Error(err)
	}
	dead.Store(true)
	child.Close()
	leaked.Store(true)
	_ = unix.Close(leak)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func noDeadlines(t *testing.T) {
	_, child := pair(t, unix.SOCK_STREAM)
	f := os.NewFile(uintptr(child.fd), "pipe")
	child.fd = -1
	defer f.Close()
	if err := f.SetReadDeadline(time.Now().Add(time.Second)); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("%v, want %v", err, os.ErrNoDeadline)
	}
}
