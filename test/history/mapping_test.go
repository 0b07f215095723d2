package history

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/syncproto"
)

// move is a frame of today's protocol.
type move struct {
	sender syncproto.Role
	kind   syncproto.Kind
	name   string
	fds    int
}

func (m move) String() string {
	s := strings.ToUpper(m.sender.String()[:1]) + " " + m.kind.String()
	if m.name != "" {
		s += fmt.Sprintf(" %q", m.name)
	}
	if m.fds > 0 {
		s += fmt.Sprintf(" with %d descriptor", m.fds)
	}
	return s
}

// meaning is today's form of a historic message.
type meaning struct {
	parent   bool
	historic string // as in the golden table; for text, the beginning of the bytes
	frames   []move
	why      string
}

const (
	theConfig = "the configuration"
	theBlob   = "the netlink message"
	thePid    = "the pid"
	theError  = "an error"
	theName   = "a name with a descriptor"
)

var (
	hello    = move{sender: syncproto.Parent, kind: syncproto.KindHello}
	helloAck = move{sender: syncproto.Child, kind: syncproto.KindHelloAck}
	config   = move{sender: syncproto.Parent, kind: syncproto.KindConfig}
	configOK = move{sender: syncproto.Child, kind: syncproto.KindConfigOK}
	failure  = move{sender: syncproto.Child, kind: syncproto.KindError}
	execute  = move{sender: syncproto.Child, kind: syncproto.KindExec}
)

func request(name string, fds int) []move {
	return []move{{syncproto.Child, syncproto.KindRequest, name, fds}}
}

func reply(name string, fds int) []move {
	return []move{{syncproto.Parent, syncproto.KindReply, name, fds}}
}

var (
	ends = []meaning{
		{true, "SHUT_WR", nil, "nothing depends on a half-close"},
		{false, "EOF executed", []move{execute}, "then end of file: success has a frame of its own"},
		{false, "EOF killed", nil, "end of file alone is a death"},
		{false, "EOF exited", nil, "the error before it stands"},
	}
	opening = meaning{true, theConfig, []move{hello, helloAck, config, configOK},
		"who they are, what they speak and that it arrived whole was never said"}
	bootstrap = []meaning{
		{true, theBlob, []move{hello}, "what must be known before anything else"},
		{false, thePid, []move{helloAck}, "the pid is a field of it"},
		{true, theConfig, []move{config, configOK}, "its end is marked, and its digest comes back"},
	}
	bareError = meaning{false, theError, []move{failure}, "one frame that says what it is"}
	announced = "the error is the frame"
	console   = []meaning{
		{false, `{"type":"procConsole"}`, nil, "the descriptor rides with the request, so nothing announces it"},
		{true, `{"type":"procConsoleReq"}`, nil, "nor invites it"},
		{false, theName, request("procConsole", 1), "in the sendmsg(2) of the frame"},
		{true, `{"type":"procConsoleAck"}`, reply("procConsoleAck", 0), ""},
	}
)

func concat(lists ...[]meaning) (all []meaning) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// meanings are the messages of the generations, each with its form today.
var meanings = map[string][]meaning{
	"g1": concat([]meaning{opening, bareError}, ends),
	"g2": concat([]meaning{opening,
		{false, `{"type":0}`, request("ready", 0), ""},
		{true, `{"type":3}`, reply("run", 0), "3 because of procStart, which nobody ever sent; 2 four days later"},
		{false, `{"type":1}`, nil, announced}, bareError}, ends),
	"g3a": concat(bootstrap, []meaning{
		{false, `{"type":3}`, request("3", 0), "3 had been run"},
		{true, `{"type":4}`, reply("4", 0), ""},
		{false, `{"type":0}`, request("0", 0), ""},
		{true, `{"type":2}`, reply("2", 0), ""},
		{false, `{"type":1}`, nil, announced}, bareError}, ends),
	"g3a-setns": concat(bootstrap, []meaning{bareError}, ends),
	"g3b": concat(bootstrap, console, []meaning{
		{false, `{"type":"procHooks"}`, request("procHooks", 0), ""},
		{true, `{"type":"procResume"}`, reply("procResume", 0), ""},
		{false, `{"type":"procReady"}`, request("procReady", 0), ""},
		{true, `{"type":"procRun"}`, reply("procRun", 0), ""},
		{false, `{"type":"procError"}`, nil, announced}, bareError}, ends),
	"g3b-setns": concat(bootstrap, console, []meaning{{false, `{"type":"procError"}`, nil, announced}, bareError}, ends),
	"head": concat(bootstrap, []meaning{
		{false, `{"type":"procMountPlease"}`, request("procMountPlease", 0), ""},
		{true, `{"type":"procMountFd"}`, nil, "no packet announces the one with the descriptor"},
		{true, theName, reply("procMountFd", 1), "in the sendmsg(2) of the frame"},
		{false, `{"type":"procHooks"}`, request("procHooks", 0), ""},
		{true, `{"type":"procHooksDone"}`, reply("procHooksDone", 0), ""},
		{false, `{"type":"procReady"}`, request("procReady", 0), ""},
		{true, `{"type":"procRun"}`, reply("procRun", 0), ""},
		{false, `{"type":"procSeccomp"}`, request("procSeccomp", 0), ""},
		{true, `{"type":"procSeccompDone"}`, reply("procSeccompDone", 0), ""},
		{false, `{"type":"procError"}`, []move{failure}, "one packet here too, since 2021"}}, ends),
}

// class returns the name of a line's message in the table.
func (l line) class() string {
	switch {
	case l.event != "":
		return l.event
	case l.fd:
		return theName
	case l.bytes[0] != '{':
		return theBlob
	case bytes.HasPrefix(l.bytes, []byte(`{"args"`)):
		return theConfig
	case bytes.HasPrefix(l.bytes, []byte(`{"Timestamp"`)):
		return theError
	case bytes.Contains(l.bytes, []byte(`pid":`)):
		return thePid
	}
	head, _, _ := strings.Cut(strings.TrimSuffix(string(l.bytes), "}"), ",")
	return head + "}"
}

// machines are both sides of today's protocol.
type machines [2]*syncproto.Machine

func newMachines(t testing.TB, p *syncproto.Profile) (m machines) {
	t.Helper()
	for _, role := range []syncproto.Role{syncproto.Parent, syncproto.Child} {
		var err error
		if m[role], err = syncproto.NewMachine(role, p, syncproto.Limits{}); err != nil {
			t.Fatal(err)
		}
		m[role].Offer(1)
	}
	return m
}

// pass carries a frame from one machine to the other.
func (m machines) pass(v move, size int) error {
	from, to := m[v.sender], m[v.sender.Peer()]
	h, err := from.Send(syncproto.Frame{Kind: v.kind, Name: v.name, FDs: v.fds, Size: size})
	if err == nil {
		err = to.Admit(h)
	}
	if err == nil {
		err = to.Receive(h, v.name)
	}
	if err == nil && v.kind == syncproto.KindHelloAck {
		for _, x := range m {
			if err == nil {
				err = x.Agree(syncproto.Limits{})
			}
		}
	}
	return err
}

// outcomes are the verdicts for the ends of the transcripts.
var outcomes = map[string]syncproto.Outcome{"EOF executed": syncproto.Success, "EOF killed": syncproto.Died,
	"EOF exited": syncproto.PeerError}

// TestTranscriptsAreConversationsOfToday: each transcript, message for message, is a valid conversation today, and ends
// in the right verdict.
func TestTranscriptsAreConversationsOfToday(t *testing.T) {
	used := map[string]bool{}
	var verdicts strings.Builder
	for _, tr := range transcripts(t) {
		m := newMachines(t, profileByName(t, tr.profile))
		for i, l := range tr.lines {
			mean := find(tr.profile, l)
			if mean == nil {
				t.Fatalf("%s line %d: %s means nothing", tr.name, i+1, l)
			}
			used[tr.profile+" "+mean.historic] = true
			for _, v := range mean.frames {
				size := len(l.bytes)
				if v.kind == syncproto.KindExec {
					size = 0
				}
				if err := m.pass(v, size); err != nil {
					t.Fatalf("%s line %d: %s as %s: %v", tr.name, i+1, l, v, err)
				}
			}
		}
		got, want := m[syncproto.Parent].EndOfFile(), outcomes[tr.lines[len(tr.lines)-1].event]
		if got.Outcome != want {
			t.Errorf("%s: the parent's verdict is %s, want %s", tr.name, got.Outcome, want)
		}
		last, _ := strings.CutPrefix(tr.lines[len(tr.lines)-1].event, "EOF ")
		fmt.Fprintf(&verdicts, "%-18s the child %-9s then: %-58s now: %s in %s\n", tr.name, last+",", tr.historic+",",
			got.Outcome, got.State)
	}
	golden.Compare(t, "testdata/mapping.golden", table(used)+"\n"+verdicts.String())
}

func find(profile string, l line) *meaning {
	for i, m := range meanings[profile] {
		if m.parent == l.parent && m.historic == l.class() {
			return &meanings[profile][i]
		}
	}
	return nil
}

// table prints today's form of every message of every generation. It marks messages that no transcript has, because
// they were not tested.
func table(used map[string]bool) string {
	var b strings.Builder
	for _, p := range profiles {
		fmt.Fprintf(&b, "%s: %s\n", p.Name, p.Doc)
		for _, m := range meanings[p.Name] {
			who, mark := "C", ""
			if m.parent {
				who = "P"
			}
			if !used[p.Name+" "+m.historic] {
				if strings.HasPrefix(m.historic, "EOF") || m.historic == "SHUT_WR" {
					continue
				}
				mark = " (in no transcript)"
			}
			frames := make([]string, len(m.frames))
			for i, v := range m.frames {
				frames[i] = v.String()
			}
			s := strings.Join(frames, ", ")
			if s == "" {
				s = "nothing"
			}
			if m.why != "" {
				s += ": " + m.why
			}
			fmt.Fprintf(&b, "  %s %-27s %s%s\n", who, m.historic, s, mark)
		}
	}
	return b.String()
}
