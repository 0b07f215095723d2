package main

import (
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// TestMain also runs the test binary as the children of the contenders.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childCommand {
		if err := child(os.Args[2]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestReportText(t *testing.T) {
	const lacking = "repairs text; and has a reason to be told of in more than one line of the report"
	r := report{kernel: "6.1.0", cpus: 2, load: "0.10 0.20 0.30 1/100 999", rounds: 5, conversations: 20}
	for _, s := range []setting{goroutines, processes} {
		r.rows = append(r.rows,
			row{"floor msgpack seqpacket", "", "", s, []float64{100, 102, 98, 200, 101}},
			row{reference, "floor msgpack seqpacket", "", s, []float64{150, 151, 147, 300, 152}},
			row{"encoding/json stream", "floor msgpack seqpacket", lacking, s, []float64{1300, 1310.5, 1290, 12345.6, 1305}})
	}
	r.rows = append(r.rows, row{"handfast msgpack memory", "", "", goroutines, []float64{50, 51, 49, 80, 50}},
		row{"nothing", "", "", processes, nil})
	got := r.Text()
	for line := range strings.Lines(got) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	golden.Compare(t, "testdata/report.txt", got)
}

// TestPairedRatio: a host that becomes twice as slow half-way does not change the paired ratio.
func TestPairedRatio(t *testing.T) {
	if got := pairedRatio([]float64{2, 2, 4, 4, 4}, []float64{1, 1, 2, 2, 2}); got != 2 {
		t.Errorf("the ratio is %v, want 2", got)
	}
	if got := pairedRatio([]float64{1}, nil); !math.IsNaN(got) {
		t.Errorf("a ratio to nothing is %v, want NaN", got)
	}
}

func TestConfigurationSize(t *testing.T) {
	c, err := configuration()
	if err != nil {
		t.Fatal(err)
	}
	v, err := syncproto.ToValue(*c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := codec.MessagePack().Append(nil, v)
	if err != nil || len(b) != configSize {
		t.Errorf("%d bytes, %v; want %d", len(b), err, configSize)
	}
}

func newTerminal(t *testing.T) int {
	fd, err := unix.MemfdCreate("terminal", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// TestEveryContenderTalks: every contender can have the conversation, in both settings, repeatedly and with everything
// compared, and closes what it has opened.
func TestEveryContenderTalks(t *testing.T) {
	w, err := newWork(newTerminal(t))
	if err != nil {
		t.Fatal(err)
	}
	tables, err := newTables(contenders(), w, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if _, err := table.talk(true); err != nil {
			t.Error(err)
			continue
		}
		before := descriptors(t)
		for range 3 {
			if _, err := table.talk(true); err != nil {
				t.Error(err)
			}
		}
		if after := descriptors(t); after != before {
			t.Errorf("%s between two %s: %d descriptors after three conversations, %d before", table.name, table.setting, after,
				before)
		}
	}
	for _, table := range tables {
		if err := table.stop(); err != nil {
			t.Error(err)
		}
	}
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestComparisonsNotice: the comparison detects another configuration, another file and other bytes.
func TestComparisonsNotice(t *testing.T) {
	w, err := newWork(newTerminal(t))
	if err != nil {
		t.Fatal(err)
	}
	w.closely = true
	other := *w.config
	other.Hostname = "elsewhere"
	if w.checkConfig(&other) == nil {
		t.Error("another configuration passes")
	}
	fd, err := unix.MemfdCreate("another", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if w.console(consolePath, []int{fd}) == nil {
		t.Error("another file passes")
	}
	if w.console(consolePath, nil) == nil {
		t.Error("no file passes")
	}
	var o order
	if o.ended() == nil || o.takes(container.ReadyRequest.Request) == nil ||
		o.takes(container.HooksRequest.Request) != nil ||
		o.takes(container.HooksRequest.Request) == nil {
		t.Error("requests out of order pass")
	}
}

// TestFloorNotices: the floor detects frames that are not a conversation.
func TestFloorNotices(t *testing.T) {
	program, err := buildFloor(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, frames := range [][]frame{{{false, 1 << 21, 0}}, nil} {
		f, err := newFloor(program, processes, transport.SeqPacket, true, frames)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.talk(1); err == nil {
			t.Errorf("frames %v were moved", frames)
		}
		if f.stop() == nil {
			t.Errorf("frames %v: the floor ended well", frames)
		}
	}
}
