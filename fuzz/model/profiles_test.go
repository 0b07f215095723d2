package model

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
)

// profiles generates small tables of any shape, most of which cannot be run.
func profiles() *rapid.Generator[*syncproto.Profile] {
	return rapid.Custom(func(t *rapid.T) *syncproto.Profile {
		p := &syncproto.Profile{Name: "any", ConfigFDs: syncproto.FDCount{Max: 1}}
		phases := rapid.IntRange(1, 3).Draw(t, "phases")
		for i := range phases {
			ph := syncproto.Phase{Name: fmt.Sprint("p", i), Requester: syncproto.Role(rapid.IntRange(0, 1).Draw(t, "requester"))}
			ph.Commit = ph.Requester == child && rapid.Bool().Draw(t, "commit")
			for j := range rapid.IntRange(0, 2).Draw(t, "rows") {
				r := syncproto.Row{Request: fmt.Sprint("r", j), Reply: "done", Max: 1, Doc: fmt.Sprint("row ", i, j)}
				r.Min = uint16(rapid.IntRange(0, 1).Draw(t, "min"))
				r.RequestFDs.Max = uint8(rapid.IntRange(0, 1).Draw(t, "descriptors"))
				r.ReplyFDs.Max = uint8(rapid.IntRange(0, 1).Draw(t, "descriptors back"))
				if next := rapid.IntRange(-1, phases-1).Draw(t, "next"); next > i { // forwards: a loop may be walked for ever
					r.Next = fmt.Sprint("p", next)
				}
				ph.Rows = append(ph.Rows, r)
			}
			p.Phases = append(p.Phases, ph)
		}
		return p
	})
}

// A profile that Validate accepts cannot deadlock, whatever its shape: every conversation obeys every law.
func TestAValidProfileCannotDeadlock(t *testing.T) {
	t.Parallel()
	valid, refused := 0, 0
	for seed := 0; valid < 12 && seed < 2000; seed++ {
		p := profiles().Example(seed)
		if p.Validate() != nil {
			refused++
			continue
		}
		valid++
		if _, err := Check(p, Options{Room: 1}); err != nil {
			t.Fatalf("%v\n%s", err, p.Canonical())
		}
	}
	if valid < 12 || refused == 0 {
		t.Errorf("%d profiles are valid, %d are not", valid, refused)
	}
}
