package syncproto_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

func row(request, next string) syncproto.Row {
	r := syncproto.Row{Request: request, Reply: "done", Next: next}
	if next != "" {
		r.Max = 1
	}
	return r
}

func twoPhases() *syncproto.Profile {
	return &syncproto.Profile{Name: "p", Phases: []syncproto.Phase{
		{Name: "one", Requester: syncproto.Parent, Rows: []syncproto.Row{row("ask", ""), row("go", "two")}},
		{Name: "two", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{row("get", ""), row("back", "one")}},
	}}
}

func TestProfilesOfContainersAreValid(t *testing.T) {
	for _, p := range []*syncproto.Profile{container.InitProfile(), container.SetnsProfile(), container.StartProfile(),
		twoPhases()} {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestProfileValidateRefuses(t *testing.T) {
	one, two := func(p *syncproto.Profile) *syncproto.Phase { return &p.Phases[0] },
		func(p *syncproto.Profile) *syncproto.Phase { return &p.Phases[1] }
	for _, tt := range []struct {
		want string
		edit func(*syncproto.Profile)
	}{
		{`name "" is not`, func(p *syncproto.Profile) { p.Name = "" }},
		{`name "a b" is not`, func(p *syncproto.Profile) { p.Name = "a b" }},
		{`is not 1 to 32`, func(p *syncproto.Profile) { p.Name = strings.Repeat("x", 33) }},
		{`wants 1 to 32 phases, has 0`, func(p *syncproto.Profile) { p.Phases = nil }},
		{`wants 1 to 32 phases, has 33`, func(p *syncproto.Profile) { p.Phases = make([]syncproto.Phase, 33) }},
		{`CONFIG with 2..1 descriptors`, func(p *syncproto.Profile) { p.ConfigFDs = syncproto.FDCount{Min: 2, Max: 1} }},
		{`CONFIG with 0..254 descriptors`, func(p *syncproto.Profile) { p.ConfigFDs = syncproto.FDCount{Max: 254} }},
		{`phase "one": its name is malformed or used twice`, func(p *syncproto.Profile) {
			two(p).Name,
				one(p).Rows[1].Next = "one", "one"
		}},
		{`phase "tw\n": its name is malformed`, func(p *syncproto.Profile) {
			two(p).Name, one(p).Rows[1].Next = "tw\n",
				"tw\n"
		}},
		{`phase "one": commits, so the child must make its requests`, func(p *syncproto.Profile) { one(p).Commit = true }},
		{`phase "two": more than 32 rows`, func(p *syncproto.Profile) { two(p).Rows = make([]syncproto.Row, 33) }},
		{`request "ask": the request's name is malformed or used twice`,
			func(p *syncproto.Profile) { one(p).Rows[1].Request = "ask" }},
		{`request "ask": the reply's name "" is malformed`, func(p *syncproto.Profile) { one(p).Rows[0].Reply = "" }},
		{`request "ask": at least 3 times, at most 2`, func(p *syncproto.Profile) {
			one(p).Rows[0].Min,
				one(p).Rows[0].Max = 3, 2
		}},
		{`request "ask": descriptors: 1..0 and 0`, func(p *syncproto.Profile) { one(p).Rows[0].RequestFDs.Min = 1 }},
		{`request "ask": descriptors: 0 and 0..254`, func(p *syncproto.Profile) { one(p).Rows[0].ReplyFDs.Max = 254 }},
		{`request "go": leads to the phase "three", which does not exist`,
			func(p *syncproto.Profile) { one(p).Rows[1].Next = "three" }},
		{`request "go": leaves the phase, so it is made at most once`, func(p *syncproto.Profile) { one(p).Rows[1].Max = 2 }},
		{`phase "three": cannot be reached`, func(p *syncproto.Profile) {
			p.Phases = append(p.Phases, syncproto.Phase{Name: "three", Requester: child, Commit: true})
		}},
		{`EXEC cannot be reached from it`, func(p *syncproto.Profile) { two(p).Commit = false }},
		{`phase "three": EXEC cannot be reached from it: its rows lead "loop" to "three"`, func(p *syncproto.Profile) {
			p.Phases = append(p.Phases, syncproto.Phase{Name: "three", Requester: child,
				Rows: []syncproto.Row{row("loop", "three")}})
			two(p).Rows = append(two(p).Rows, row("trap", "three"))
		}},
		{`request "go": can never be made: it leaves the phase, and so does "ask", which is required first`,
			func(p *syncproto.Profile) {
				one(p).Rows[0] = syncproto.Row{Request: "ask", Reply: "done", Min: 1, Max: 1, Next: "two"}
			}},
		{`request "go": can never be made`, func(p *syncproto.Profile) {
			one(p).Rows[0] = syncproto.Row{Request: "ask", Reply: "done", Min: 1, Max: 1, Next: "two"}
			one(p).Rows[1].Min = 1
		}},
		{`request "back": is required and leaves the phase, so EXEC can never be sent`,
			func(p *syncproto.Profile) { two(p).Rows[1].Min = 1 }},
	} {
		p := twoPhases()
		tt.edit(p)
		err := p.Validate()
		if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeProfile}) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
		if _, err := syncproto.NewMachine(syncproto.Parent, p, syncproto.Limits{}); err == nil {
			t.Errorf("a machine runs it: %s", tt.want)
		}
	}
}

// Each edit changes which frames are legal, so each must change the hash, and all hashes must differ. Docs do not
// count.
func TestHashChangesWithTheTableAlone(t *testing.T) {
	seen := map[uint64]int{twoPhases().Hash(): -1}
	for i, edit := range []func(*syncproto.Profile){
		func(p *syncproto.Profile) { p.Name = "q" },
		func(p *syncproto.Profile) { p.ConfigFDs.Max = 1 },
		func(p *syncproto.Profile) { p.Phases = p.Phases[:1] },
		func(p *syncproto.Profile) { p.Phases[0], p.Phases[1] = p.Phases[1], p.Phases[0] },
		func(p *syncproto.Profile) { p.Phases[0].Name = "eins" },
		func(p *syncproto.Profile) { p.Phases[0].Requester = syncproto.Child },
		func(p *syncproto.Profile) { p.Phases[1].Commit = false },
		func(p *syncproto.Profile) { p.Phases[0].Rows = p.Phases[0].Rows[:1] },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].Request = "beg" },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].Reply = "no" },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].Min = 1 },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].Max = 1 },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].RequestFDs.Max = 1 },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].ReplyFDs.Max = 1 },
		func(p *syncproto.Profile) { p.Phases[0].Rows[0].Next = "two" },
	} {
		p := twoPhases()
		edit(p)
		if j, twice := seen[p.Hash()]; twice {
			t.Errorf("edits %d and %d have one hash", i, j)
		}
		seen[p.Hash()] = i
	}
	p := twoPhases()
	p.Doc, p.Phases[0].Rows[0].Doc = "other", "words"
	if p.Hash() != twoPhases().Hash() {
		t.Error("a Doc changes the hash")
	}
}

func TestRequireAndForbidLeaveTheOriginal(t *testing.T) {
	p := container.InitProfile()
	hash := p.Hash()
	q := p.Require("console").Forbid("hooks")
	if err := q.Validate(); err != nil {
		t.Error(err)
	}
	if p.Hash() != hash || q.Hash() == hash {
		t.Error("the original changed, or the copy did not")
	}
	for _, r := range q.Phases[0].Rows {
		if r.Request == "hooks" || r.Request == "console" && r.Min != 1 {
			t.Errorf("row %+v", r)
		}
	}
}
