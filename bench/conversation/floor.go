package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// frame is one message of the conversation on the wire.
type frame struct {
	child bool // sent by the child
	size  int  // including the header
	fds   int
}

// record has the conversation once, in memory, and returns its frames.
func record(w *work, c codec.Codec) ([]frame, error) {
	a, b := transporttest.Memory(transport.SeqPacket, 0)
	var frames []frame
	h := handfast{codec: c, trace: func(e transport.Event) {
		if e.End == syncproto.Undecided {
			frames = append(frames, frame{!e.Sent, syncproto.HeaderSize + len(e.Payload), int(e.Header.NFDs)})
		}
	}}
	child := make(chan error, 1)
	go func() { child <- h.child(ends{conn: b}, w) }()
	err := h.parent(ends{conn: a}, w)
	return frames, errors.Join(err, <-child)
}

//go:embed testdata/floor.c
var floorSource []byte

// buildFloor compiles the floor into a directory, and returns the program's path.
func buildFloor(dir string) (string, error) {
	source, program := filepath.Join(dir, "floor.c"), filepath.Join(dir, "floor")
	if err := os.WriteFile(source, floorSource, 0o600); err != nil {
		return "", err
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	if out, err := exec.Command(cc, "-O2", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("the floor cannot be built (test/setup.sh bench installs a compiler): %w\n%s", err, out)
	}
	return program, nil
}

// floor is a running floor.c, which has conversations by itself and reports their times.
type floor struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// newFloor starts the program for the frames. between is whether its sides are threads, like goroutines, or processes;
// pinned, whether both stay on one CPU.
func newFloor(program string, between setting, socket transport.Type, pinned bool, frames []frame) (*floor, error) {
	args := []string{"processes", "seqpacket", "any"}
	if between == goroutines {
		args[0] = "threads"
	}
	if socket == transport.Stream {
		args[1] = "stream"
	}
	if pinned {
		args[2] = "one"
	}
	for _, f := range frames {
		who := "p"
		if f.child {
			who = "c"
		}
		args = append(args, fmt.Sprintf("%s:%d:%d", who, f.size, f.fds))
	}
	f := &floor{cmd: exec.Command(program, args...)}
	f.cmd.Stderr = os.Stderr
	in, err := f.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f.in, f.out = in, bufio.NewReader(out)
	return f, f.cmd.Start()
}

// talk has conversations and returns the mean of their microseconds; 0 means one in which all bytes are compared.
func (f *floor) talk(conversations int) (microseconds float64, err error) {
	line := "check\n"
	if conversations > 0 {
		line = strconv.Itoa(conversations) + "\n"
	}
	if _, err := io.WriteString(f.in, line); err != nil {
		return 0, err
	}
	answer, err := f.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("the floor gave up; it has said why: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(answer), 64)
}

func (f *floor) stop() error {
	_ = f.in.Close()
	return f.cmd.Wait()
}
