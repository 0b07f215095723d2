package transcript

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/handfast/handfast/syncproto"
)

// Read reads a transcript. If the writer died while writing, Read returns what it could read along with ErrTorn.
func Read(in io.Reader) (*Transcript, error) {
	r := bufio.NewReader(io.LimitReader(in, maxTotal))
	head := make([]byte, len(magic)+1)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if err != nil || string(head[:len(magic)]) != magic || head[len(magic)] > 1 {
		return nil, fmt.Errorf("%w: it begins with %q, want %q", ErrFormat, head[:n], magic)
	}
	t := &Transcript{Role: syncproto.Role(head[len(magic)])}
	since := time.Duration(0)
	for {
		b, err := readRecord(r)
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		e, delta, ok := parseRecord(b)
		if !ok {
			return t, fmt.Errorf("%w: record %d is malformed", ErrFormat, len(t.Events)+1)
		}
		since += delta
		e.Since = since
		t.Events = append(t.Events, e)
	}
}

func readRecord(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case err == io.ErrUnexpectedEOF:
		return nil, ErrTorn
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	case n > maxRecord:
		return nil, fmt.Errorf("%w: a record of %d bytes", ErrFormat, n)
	}
	// Read what is present; do not allocate what the length claims.
	b, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err == nil && uint64(len(b)) < n {
		err = ErrTorn
	}
	return b, err
}

func parseRecord(b []byte) (e Event, delta time.Duration, ok bool) {
	d, n := binary.Uvarint(b)
	if n <= 0 || d > uint64(1<<62) || len(b) < n+3+syncproto.HeaderSize {
		return e, 0, false
	}
	flags, rest := b[n], b[n+3:]
	e.State, e.End, e.Sent = syncproto.State(b[n+1]), syncproto.Outcome(b[n+2]), flags&flagSent != 0
	if flags&flagEnd == 0 {
		h, err := syncproto.ParseHeader(rest)
		if err != nil || e.End != syncproto.Undecided {
			return e, 0, false
		}
		e.Header = h
	} else if e.End == syncproto.Undecided {
		return e, 0, false
	}
	rest = rest[syncproto.HeaderSize:]
	name, rest, ok1 := takeString(rest)
	phase, rest, ok2 := takeString(rest)
	ok = ok1 && ok2
	if ok && flags&flagBody != 0 {
		e.Body, rest, ok = takeString(rest)
	}
	if e.Name = name; flags&flagEnd != 0 {
		e.Name, e.Error = "", name
	}
	e.Phase = phase
	return e, time.Duration(d), ok && len(rest) == 0 && e.State <= syncproto.Failed && e.End <= syncproto.PeerError &&
		flags < 8
}

func takeString(b []byte) (s string, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", nil, false
	}
	return string(b[k : k+int(n)]), b[k+int(n):], true
}
