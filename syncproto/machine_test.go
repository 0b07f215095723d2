package syncproto_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

const (
	parent = syncproto.Parent
	child  = syncproto.Child
)

// machinePair holds the two machines of one conversation; frames between them arrive at once.
type machinePair struct {
	m [2]*syncproto.Machine
}

func newBoth(t testing.TB, p *syncproto.Profile) *machinePair {
	t.Helper()
	b := &machinePair{}
	for r := range b.m {
		m, err := syncproto.NewMachine(syncproto.Role(r), p, syncproto.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		m.Offer(1)
		b.m[r] = m
	}
	return b
}

func (b *machinePair) pass(from syncproto.Role, f syncproto.Frame) error {
	h, err := b.m[from].Send(f)
	if err != nil {
		return err
	}
	to := b.m[from.Peer()]
	if err := to.Admit(h); err != nil {
		return errors.Join(errors.New("sent but not admitted"), err)
	}
	if err := to.Receive(h, f.Name); err != nil {
		return errors.Join(errors.New("sent but not received"), err)
	}
	return nil
}

type sent struct {
	from syncproto.Role
	f    syncproto.Frame
}

var opening = []sent{
	{parent, syncproto.Frame{Kind: syncproto.KindHello, Size: 100}},
	{child, syncproto.Frame{Kind: syncproto.KindHelloAck, Size: 100}},
	{parent, syncproto.Frame{Kind: syncproto.KindConfig, Size: 100, More: true}},
	{parent, syncproto.Frame{Kind: syncproto.KindConfig, Size: 10}},
	{child, syncproto.Frame{Kind: syncproto.KindConfigOK, Size: 50}},
}

var readyRun = []sent{
	{child, syncproto.Frame{Kind: syncproto.KindRequest, Name: "ready"}},
	{parent, syncproto.Frame{Kind: syncproto.KindReply, Name: "run"}},
}

func (b *machinePair) play(t testing.TB, all ...[]sent) {
	t.Helper()
	for _, list := range all {
		for _, s := range list {
			if err := b.pass(s.from, s.f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// at brings two new machines into a state that is not final.
func at(t testing.TB, s syncproto.State) *machinePair {
	b := newBoth(t, container.InitProfile())
	switch s {
	case syncproto.Greeted:
		b.play(t, opening[:1])
	case syncproto.Agreed:
		b.play(t, opening[:2])
	case syncproto.Configured:
		b.play(t, opening, readyRun)
	case syncproto.Committed:
		b.play(t, opening, readyRun, []sent{{child, syncproto.Frame{Kind: syncproto.KindExec}}})
	}
	if got := b.m[parent].State(); got != s {
		t.Fatalf("state %v, want %v", got, s)
	}
	return b
}

// For every state, sender and kind: the machine sends and admits it exactly where the table has a row.
func TestMachineFollowsTheRulesAndNothingElse(t *testing.T) {
	has := map[[3]uint8]bool{}
	for _, r := range syncproto.Rules() {
		key := [3]uint8{uint8(r.From), uint8(r.Sender), uint8(r.Kind)}
		if has[key] {
			t.Errorf("two rules for %v", r)
		}
		has[key] = true
	}
	for s := syncproto.Opened; s <= syncproto.Committed; s++ {
		for _, sender := range []syncproto.Role{parent, child} {
			for k := syncproto.KindHello; k <= syncproto.KindCancel; k++ {
				b := at(t, s)
				seq := uint16(1)
				for b.m[sender.Peer()].Admit(syncproto.Header{Kind: 99, Flags: syncproto.FlagSkippable, Seq: seq}) != nil {
					seq++
				}
				err := b.m[sender.Peer()].Admit(syncproto.Header{Kind: k, Seq: seq})
				want := has[[3]uint8{uint8(s), uint8(sender), uint8(k)}]
				// A frame that crosses EXEC is received, but cannot be sent.
				crosses := s == syncproto.Committed && sender == parent &&
					(k == syncproto.KindCancel || k == syncproto.KindError)
				if (err == nil) != (want || crosses) {
					t.Errorf("%v, %v from the %v: rule %v, admit says %v", s, k, sender, want, err)
				}
				if want {
					continue
				}
				var p *syncproto.ProtocolError
				named := errors.As(err, &p) && p.Code == syncproto.CodeState && p.State == s && p.Sender == sender
				if !crosses && !(named && p.Kind == k) {
					t.Errorf("%v, %v from the %v: %#v", s, k, sender, err)
				}
				before := *b.m[sender]
				if _, err := b.m[sender].Send(syncproto.Frame{Kind: k}); err == nil || *b.m[sender] != before {
					t.Errorf("%v: the %v may send %v, or the refusal changed it (%v)", s, sender, k, err)
				}
			}
		}
	}
}

func TestSuccessIsExecThenEndOfFile(t *testing.T) {
	for s := syncproto.Opened; s <= syncproto.Committed; s++ {
		want := syncproto.Died
		if s == syncproto.Committed {
			want = syncproto.Success
		}
		b := at(t, s)
		if v := b.m[parent].EndOfFile(); v.Outcome != want {
			t.Errorf("end of file in %v: %+v", s, v)
		}
		if v := b.m[child].EndOfFile(); v.Outcome != syncproto.Died {
			t.Errorf("the child sees its parent's end in %v: %+v", s, v)
		}
	}
	b := at(t, syncproto.Committed)
	b.play(t, []sent{{child, syncproto.Frame{Kind: syncproto.KindError, Size: 10}}})
	if v := b.m[parent].EndOfFile(); v.Outcome != syncproto.PeerError || v.State != syncproto.Committed {
		t.Errorf("an ERROR after EXEC: %+v", v)
	}
}

func TestFailuresAreRanked(t *testing.T) {
	for _, tt := range []struct {
		why  []syncproto.Outcome
		want syncproto.Outcome
	}{
		{[]syncproto.Outcome{syncproto.Broken, syncproto.PeerError, syncproto.TimedOut}, syncproto.PeerError},
		{[]syncproto.Outcome{syncproto.TimedOut, syncproto.Died}, syncproto.TimedOut},
		{[]syncproto.Outcome{syncproto.Cancelled, syncproto.Broken}, syncproto.Cancelled},
		{[]syncproto.Outcome{syncproto.Success}, syncproto.Undecided},
	} {
		b := at(t, syncproto.Configured)
		for _, o := range tt.why {
			b.m[parent].Fail(o)
		}
		if v := b.m[parent].Verdict(); v.Outcome != tt.want || v.State != syncproto.Configured || v.Phase != "released" {
			t.Errorf("%v: %+v", tt.why, v)
		}
	}
	b := at(t, syncproto.Committed)
	b.m[parent].EndOfFile()
	if b.m[parent].Fail(syncproto.PeerError); b.m[parent].Verdict().Outcome != syncproto.Success {
		t.Error("success is not final")
	}
}

func TestMachineRefuses(t *testing.T) {
	req := func(name string, fds int) sent {
		return sent{child, syncproto.Frame{Kind: syncproto.KindRequest, Name: name, FDs: fds}}
	}
	rep := func(name string, fds int) sent {
		return sent{parent, syncproto.Frame{Kind: syncproto.KindReply, Name: name, FDs: fds}}
	}
	exec := sent{child, syncproto.Frame{Kind: syncproto.KindExec}}
	for _, tt := range []struct {
		name  string
		after []sent // behind the opening
		f     sent
		code  syncproto.Code
		text  string
	}{
		{"no name", nil, req("", 0), syncproto.CodeState, `"" is not among the requests of phase "setup": "mount" "`},
		{"unknown name", nil, req("procReady", 0), syncproto.CodeState, `"procReady" is not among`},
		{"a name of other case", nil, req("Ready", 0), syncproto.CodeState, `"Ready" is not among`},
		{"the parent makes a request", nil, sent{parent, syncproto.Frame{Kind: syncproto.KindRequest, Name: "ready"}},
			syncproto.CodeState, "the child makes the requests"},
		{"two requests at once", []sent{req("ready", 0)}, req("hooks", 0), syncproto.CodeState,
			`"hooks" while "ready" waits for its reply`},
		{"hooks twice", []sent{req("hooks", 0), rep("hooksDone", 0)}, req("hooks", 0), syncproto.CodeState,
			`"hooks" more than 1 times`},
		{"console without its descriptor", nil, req("console", 0), syncproto.CodeDescriptors,
			`"console" with 0 descriptors, want 1`},
		{"console with two", nil, req("console", 2), syncproto.CodeDescriptors, "2 descriptors, at most 1"},
		{"ready with one", nil, req("ready", 1), syncproto.CodeDescriptors, `"ready" with 1 descriptors, want 0`},
		{"a reply to nothing", nil, rep("run", 0), syncproto.CodeState, `"run" without a request`},
		{"the wrong reply", []sent{req("ready", 0)}, rep("hooksDone", 0), syncproto.CodeState, `"hooksDone", want "run"`},
		{"mounted without a descriptor", []sent{req("mount", 0)}, rep("mounted", 0), syncproto.CodeDescriptors,
			`"mounted" with 0 descriptors, want 1`},
		{"seccomp before run", nil, req("seccomp", 0), syncproto.CodeState, `"seccomp" is not among`},
		{"EXEC before run", nil, exec, syncproto.CodeState, `phase "setup" does not commit`},
		{"EXEC with a request open", append(readyRun[:2:2], req("seccomp", 0)), exec, syncproto.CodeState,
			`"seccomp" waits for its reply`},
		{"CONFIG again", nil, sent{parent, syncproto.Frame{Kind: syncproto.KindConfig, Size: 1}}, syncproto.CodeState,
			"not in this state"},
		{"an ERROR that refuses nothing", nil, sent{parent, syncproto.Frame{Kind: syncproto.KindError, Fail: true}},
			syncproto.CodeState, "refuses a request, but no request waits for its reply"},
		{"too large", nil, sent{child, syncproto.Frame{Kind: syncproto.KindNote, Size: 4097}}, syncproto.CodeLimit,
			"NOTE of 4097 bytes is over its limit of 4096"},
		{"254 descriptors", nil, req("console", 254), syncproto.CodeLimit, "254 descriptors"},
		{"a negative size", nil, sent{child, syncproto.Frame{Kind: syncproto.KindNote, Size: -1}}, syncproto.CodeLimit,
			"-1 bytes"},
		{"after an ERROR", []sent{{child, syncproto.Frame{Kind: syncproto.KindError}}},
			sent{parent, syncproto.Frame{Kind: syncproto.KindCancel}}, syncproto.CodeState, "the conversation is over"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBoth(t, container.InitProfile())
			b.play(t, opening, tt.after)
			err := b.pass(tt.f.from, tt.f.f)
			if !errors.Is(err, &syncproto.ProtocolError{Code: tt.code}) || !strings.Contains(err.Error(), tt.text) ||
				strings.Contains(err.Error(), "sent but") {
				t.Errorf("got %v, want code %s and %q", err, tt.code, tt.text)
			}
		})
	}
}

// Frames that this side would never send must be refused if a peer sends them.
func TestReceiverRefusesWhatNoSenderSends(t *testing.T) {
	hello := syncproto.Header{Kind: syncproto.KindHello, Seq: 1, Length: 10}
	for _, tt := range []struct {
		name string
		h    syncproto.Header
		code syncproto.Code
	}{
		{"a gap in the sequence", syncproto.Header{Kind: syncproto.KindHello, Seq: 2}, syncproto.CodeFrame},
		{"a frame twice", syncproto.Header{Kind: syncproto.KindHello, Seq: 65535}, syncproto.CodeFrame},
		{"HELLO that replies", syncproto.Header{Kind: syncproto.KindHello, Seq: 1, Re: 1}, syncproto.CodeFrame},
		{"HELLO with descriptors", syncproto.Header{Kind: syncproto.KindHello, Seq: 1, NFDs: 1}, syncproto.CodeDescriptors},
		{"HELLO too large", syncproto.Header{Kind: syncproto.KindHello, Seq: 1, Length: 4097}, syncproto.CodeLimit},
		{"CONFIG first", syncproto.Header{Kind: syncproto.KindConfig, Seq: 1}, syncproto.CodeState},
	} {
		m := newBoth(t, container.InitProfile()).m[child]
		before := *m
		if err := m.Receive(tt.h, ""); !errors.Is(err, &syncproto.ProtocolError{Code: tt.code}) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if *m != before {
			t.Errorf("%s: the refusal changed the machine", tt.name)
		}
		if err := m.Receive(hello, ""); err != nil {
			t.Errorf("%s: afterwards %v", tt.name, err)
		}
	}
}

func TestConfigIsBounded(t *testing.T) {
	b := at(t, syncproto.Agreed)
	full := sent{parent, syncproto.Frame{Kind: syncproto.KindConfig, Size: 32 << 10, More: true}}
	for range 128 {
		b.play(t, []sent{full})
	}
	if err := b.pass(parent, sent{f: syncproto.Frame{Kind: syncproto.KindConfig, Size: 1}}.f); !errors.Is(err,
		&syncproto.ProtocolError{Code: syncproto.CodeLimit}) {
		t.Error(err)
	}
	b.play(t, []sent{{parent, syncproto.Frame{Kind: syncproto.KindConfig}},
		{child, syncproto.Frame{Kind: syncproto.KindConfigOK}}})
	b = at(t, syncproto.Agreed)
	if err := b.pass(child, syncproto.Frame{Kind: syncproto.KindConfigOK}); err == nil ||
		!strings.Contains(err.Error(), "CONFIG is not complete") {
		t.Error(err)
	}
	if err := b.pass(parent, syncproto.Frame{Kind: syncproto.KindConfig, More: true}); err == nil ||
		!strings.Contains(err.Error(), "is empty") {
		t.Error(err)
	}
}

func TestConfigWaitsForTheAgreementAboutACodec(t *testing.T) {
	b := at(t, syncproto.Greeted)
	b.m[parent].Offer(2)
	if err := b.pass(parent, syncproto.Frame{Kind: syncproto.KindConfig}); err == nil ||
		!strings.Contains(err.Error(), "more than one codec") {
		t.Error(err)
	}
	b.m[parent].Offer(1)
	if err := b.pass(parent, syncproto.Frame{Kind: syncproto.KindConfig}); err != nil {
		t.Error(err)
	}
}

func TestNotesAndFramesAreCounted(t *testing.T) {
	b := at(t, syncproto.Configured)
	note := syncproto.Frame{Kind: syncproto.KindNote, Size: 1}
	for range 256 {
		b.play(t, []sent{{child, note}})
	}
	if err := b.pass(child, note); err == nil || !strings.Contains(err.Error(), "more than 256 notes") {
		t.Error(err)
	}
	b = newBoth(t, container.InitProfile())
	b.play(t, opening)
	mount := []sent{{child, syncproto.Frame{Kind: syncproto.KindRequest, Name: "mount"}},
		{parent, syncproto.Frame{Kind: syncproto.KindReply, Name: "mounted", FDs: 1}}}
	for range 4096 - 3 {
		b.play(t, mount)
	}
	b.play(t, mount[:1])
	if err := b.pass(parent, mount[1].f); err == nil || !strings.Contains(err.Error(), "more than 4096 frames") {
		t.Error(err)
	}
}

func TestNarrowing(t *testing.T) {
	narrow := container.InitProfile().Require("hooks").Forbid("console")
	b := newBoth(t, container.InitProfile())
	for _, m := range b.m {
		if err := m.Narrow(narrow); err != nil {
			t.Fatal(err)
		}
	}
	b.play(t, opening)
	if err := b.pass(child, syncproto.Frame{Kind: syncproto.KindRequest, Name: "ready"}); err == nil ||
		!strings.Contains(err.Error(), `"hooks" is required first`) {
		t.Error(err)
	}
	if err := b.pass(child, syncproto.Frame{Kind: syncproto.KindRequest, Name: "console", FDs: 1}); err == nil {
		t.Error("a console that nobody requested")
	}
	for _, p := range []*syncproto.Profile{narrow, container.SetnsProfile()} {
		if err := b.m[child].Narrow(p); !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeProfile}) {
			t.Errorf("narrowed to %s after CONFIG_OK: %v", p.Name, err)
		}
	}
}

func TestRefusedRequestLeavesTheConversationOpen(t *testing.T) {
	b := newBoth(t, container.InitProfile())
	b.play(t, opening, []sent{{child, syncproto.Frame{Kind: syncproto.KindRequest, Name: "mount"}},
		{parent, syncproto.Frame{Kind: syncproto.KindError, Fail: true, Size: 1}}}, readyRun)
	if err := b.pass(parent, syncproto.Frame{Kind: syncproto.KindError, Fail: true}); err == nil {
		t.Error("the refusal of a request that has its reply")
	}
}

func TestGreetings(t *testing.T) {
	p := container.InitProfile()
	h := syncproto.Greeting(p, []string{"msgpack", "json"}, syncproto.Limits{}, "s")
	ack, err := h.Acknowledge(p, []string{"json"}, syncproto.Limits{Message: 2048}, 7)
	if err != nil || ack.Codec != "json" || ack.Limits.Message != 2048 || ack.PID != 7 || h.Check(ack) != nil {
		t.Fatalf("%+v %v", ack, err)
	}
	for name, edit := range map[string]func(*syncproto.HelloAck){
		"version": func(a *syncproto.HelloAck) { a.Version = 2 },
		"codec":   func(a *syncproto.HelloAck) { a.Codec = "cbor" },
		"limits":  func(a *syncproto.HelloAck) { a.Limits.Config = 64 << 20 },
	} {
		bad := ack
		edit(&bad)
		if err := h.Check(bad); !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeVersion}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tt := range map[string]struct {
		edit func(*syncproto.Hello)
		code syncproto.Code
	}{
		"newer":     {func(h *syncproto.Hello) { h.MinVersion, h.MaxVersion = 2, 3 }, syncproto.CodeVersion},
		"older":     {func(h *syncproto.Hello) { h.MinVersion, h.MaxVersion = 0, 0 }, syncproto.CodeVersion},
		"codecs":    {func(h *syncproto.Hello) { h.Codecs = []string{"cbor"} }, syncproto.CodeVersion},
		"profile":   {func(h *syncproto.Hello) { h.Profile = "setns" }, syncproto.CodeProfile},
		"its table": {func(h *syncproto.Hello) { h.Hash = "0123456789abcdef" }, syncproto.CodeProfile},
	} {
		bad := h
		tt.edit(&bad)
		if _, err := bad.Acknowledge(p, []string{"json"}, syncproto.Limits{}, 7); !errors.Is(err,
			&syncproto.ProtocolError{Code: tt.code}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A frame that the parent sent before it read EXEC can arrive after it. It is not a violation, and it is processed.
func TestWhatCrossesEXECIsNoViolation(t *testing.T) {
	b := at(t, syncproto.Configured)
	cancel, err := b.m[parent].Send(syncproto.Frame{Kind: syncproto.KindCancel})
	if err != nil {
		t.Fatal(err)
	}
	last, err := b.m[parent].Send(syncproto.Frame{Kind: syncproto.KindError})
	if err != nil {
		t.Fatal(err)
	}
	c := b.m[child]
	if _, err := c.Send(syncproto.Frame{Kind: syncproto.KindExec}); err != nil {
		t.Fatal(err)
	}
	if err := c.Receive(cancel, ""); err != nil || c.State() != syncproto.Committed || !c.Cancelled() {
		t.Errorf("CANCEL: %v in %v", err, c.State())
	}
	if err := c.Receive(last, ""); err != nil || c.Verdict().Outcome != syncproto.PeerError {
		t.Errorf("ERROR: %v, %+v", err, c.Verdict())
	}
}
