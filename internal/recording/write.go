package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
)

// Recorder appends one command to a file. All methods of a nil Recorder do nothing. It is used by one goroutine at a
// time. An error of writing ends the recording but not the command; End returns it.
type Recorder struct {
	file          *os.File
	run           string
	began         time.Time
	conversations int
	err           error
}

// Open begins to record a command in the file at path, which is created with mode 0600 if it does not exist: a
// recording leaves out arguments and environments, but contains paths of the host. A file that has other contents
// than recordings is refused, because it was probably named by mistake, and so is a pipe, where a command would have to
// wait for a reader.
func Open(path, command, container string) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := check(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	now := time.Now()
	r := &Recorder{file: f, began: now, run: strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(now.UnixNano(), 36)}
	if !whole {
		_, r.err = f.WriteString("\n") // so that a line that was cut off costs only itself
	}
	r.write(line{Command: command, Container: container, PID: os.Getpid(), Began: now.UTC()})
	return r, nil
}

// check looks at the contents that a file has already. whole says that its last line is not cut off.
func check(f *os.File) (whole bool, err error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return false, err
	case info.Mode()&os.ModeNamedPipe != 0:
		return false, errors.New("it is a pipe: want a file to append to")
	case info.Size() == 0:
		return true, nil
	}
	first, last := make([]byte, len(opening)), make([]byte, 1)
	if _, err := f.ReadAt(first, 0); err != nil && err != io.EOF {
		return false, err
	}
	if string(first) != opening {
		return false, fmt.Errorf("it has other contents: %w (name a file that is new, or was written by --trace)", ErrFormat)
	}
	_, err = f.ReadAt(last, info.Size()-1)
	return last[0] == '\n', err
}

// Enter begins a phase, and ends the one before.
func (r *Recorder) Enter(phase string) {
	if r != nil {
		r.write(line{Phase: phase})
	}
}

// Conversation returns the hook that records one conversation, for transport.Options.Trace; nil for a nil Recorder.
func (r *Recorder) Conversation() func(transport.Event) {
	if r == nil {
		return nil
	}
	r.conversations++
	return transcript.NewRecorder(conversation{r, r.conversations}, syncproto.Parent, transcript.Options{}).Event
}

// conversation puts each part of a transcript into a line.
type conversation struct {
	r      *Recorder
	number int
}

func (c conversation) Write(b []byte) (int, error) {
	c.r.write(line{Conversation: c.number, Data: b})
	return len(b), c.r.err
}

// End records how the command ended, and closes the file.
func (r *Recorder) End(status int, why error) error {
	if r == nil {
		return nil
	}
	l := line{Status: &status}
	if why != nil {
		l.Error = why.Error()
	}
	r.write(l)
	if err := r.file.Close(); r.err == nil {
		r.err = err
	}
	return r.err
}

// write appends a line.
func (r *Recorder) write(l line) {
	if r.err != nil {
		return
	}
	l.Run, l.NS = r.run, int64(time.Since(r.began))
	b, err := json.Marshal(l)
	if err == nil {
		_, err = r.file.Write(append(b, '\n'))
	}
	r.err = err
}
