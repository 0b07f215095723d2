package recording

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/handfast/handfast/syncproto/transcript"
)

// Read reads a file, and returns its commands in the order in which they began. It also reads a file that holds one
// transcript alone (package transcript), as a command without a name. If lines or transcripts of the file are damaged
// or cut off, Read returns everything else, and an ErrDamaged that says which.
func Read(in io.Reader) ([]*Command, error) {
	r := bufio.NewReader(&capped{in, maxTotal})
	first, err := r.Peek(len(opening))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(first) > 0 && strings.HasPrefix(opening, string(first)) {
		return readLines(r)
	}
	t, err := transcript.Read(r)
	if t == nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return []*Command{{Conversations: []Conversation{{Transcript: t}}}}, err
}

// Sort brings the commands of several files into the order in which they began.
func Sort(all []*Command) {
	slices.SortStableFunc(all, func(a, b *Command) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.PID, b.PID))
	})
}

// reader collects the commands of a file.
type reader struct {
	all  []*part
	byID map[string]*part
}

// part is a command of which not everything has been read.
type part struct {
	Command
	data [][]byte // of each conversation
}

func readLines(in *bufio.Reader) ([]*Command, error) {
	r := reader{byID: map[string]*part{}}
	var found damage
	for number := 1; ; number++ {
		text, err := readLine(in)
		if err == io.EOF {
			break
		}
		failed := err != nil && err != errTooLong && err != errCut
		if err == nil && len(text) > 0 {
			err = r.take(text)
		}
		if err != nil {
			found.add("line %d %w", number, err)
		}
		if failed {
			break // the next attempt to read may fail in the same way, for ever
		}
	}
	var commands []*Command
	for _, p := range r.all {
		for i, data := range p.data {
			t, err := transcript.Read(bytes.NewReader(data))
			if err != nil {
				found.add("conversation %d of %s: %w", i+1, p.title(), err)
			}
			if t == nil {
				t = &transcript.Transcript{}
			}
			p.Conversations[i].Transcript, p.Conversations[i].Raw = t, data
		}
		commands = append(commands, &p.Command)
	}
	Sort(commands)
	return commands, found.err()
}

// damage is what is wrong with a file: the first thing, and how many follow. A file may have one in each of a hundred
// million lines.
type damage struct {
	first error
	more  int
}

func (d *damage) add(format string, args ...any) {
	if d.first != nil {
		d.more++
		return
	}
	d.first = fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// err makes one error of all.
func (d *damage) err() error {
	if d.more == 0 {
		return d.first
	}
	return fmt.Errorf("%w, and %d more like it", d.first, d.more)
}

// capped reads at most n bytes, and fails if there are more.
type capped struct {
	in io.Reader
	n  int64
}

func (c *capped) Read(b []byte) (int, error) {
	if c.n > 0 {
		n, err := c.in.Read(b[:min(int64(len(b)), c.n)])
		c.n -= int64(n)
		return n, err
	}
	n, err := c.in.Read(b[:min(len(b), 1)])
	if n > 0 {
		err = errTooLarge
	}
	return 0, err
}

var (
	errCut      = errors.New("is cut off")
	errTooLong  = errors.New("is longer than 16 MiB")
	errTooLarge = errors.New("is where 64 MiB end, and more is not read (split the file between two lines)")
	errMeaning  = errors.New("says nothing that this version knows")
	errSequence = errors.New("belongs to a conversation whose begin is lost")
)

// readLine returns the next line without its end; io.EOF if there is none. A line that is too long is skipped.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(text)+len(part) > maxLine; !long {
			text = append(text, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case errors.Is(err, errTooLarge):
			return nil, err
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("cannot be read: %w", err)
		case long:
			return nil, errTooLong
		case err == io.EOF && len(text) == 0:
			return nil, io.EOF
		case err == io.EOF:
			return nil, errCut
		}
		return bytes.TrimSuffix(text, []byte("\n")), nil
	}
}

// take adds what one line says.
func (r *reader) take(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("is no line of a recording: %w", err)
	}
	at := time.Duration(l.NS)
	if l.Run == "" || at < 0 {
		return errMeaning
	}
	p := r.byID[l.Run]
	if p == nil {
		p = &part{}
		r.byID[l.Run] = p
		r.all = append(r.all, p)
	}
	p.last = max(p.last, at)
	switch {
	case l.Command != "":
		p.Name, p.Container, p.PID, p.Began = l.Command, l.Container, l.PID, l.Began
	case l.Phase != "":
		p.Phases = append(p.Phases, Phase{at, l.Phase})
	case l.Conversation == len(p.data)+1:
		p.data = append(p.data, l.Data)
		p.Conversations = append(p.Conversations, Conversation{Began: at})
	case l.Conversation > 0 && l.Conversation <= len(p.data):
		p.data[l.Conversation-1] = append(p.data[l.Conversation-1], l.Data...)
	case l.Conversation != 0:
		return errSequence
	case l.Status != nil:
		p.Ended, p.End, p.Status, p.Error = true, at, *l.Status, l.Error
	default:
		return errMeaning
	}
	return nil
}

// title names a command in an error.
func (c *Command) title() string {
	if c.Name == "" {
		return "a command whose begin is lost"
	}
	return c.Name + " " + c.Container
}
