package syncproto

import (
	"sync"
	"testing"
)

// A profile is validated, hashed and narrowed only once, even by several goroutines; an invalid one is validated again
// after it was corrected.
func TestProfilesAreWorkedOutOnce(t *testing.T) {
	p := sample()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			q := p.Require("hooks").Forbid("seccomp")
			if _, err := NewMachine(Parent, q, Limits{}); err != nil || q != p.Require("hooks").Forbid("seccomp") {
				t.Errorf("%v, or narrowed again", err)
			}
		})
	}
	group.Wait()
	codecs := []string{"json"}
	if n := testing.AllocsPerRun(100, func() {
		_ = Greeting(p.Require("hooks").Forbid("seccomp"), codecs, Limits{}, "")
	}); n > 0 {
		t.Errorf("%v allocations to narrow and greet once more", n)
	}
	bad := sample()
	name := bad.Name
	bad.Name = ""
	if _, err := NewMachine(Parent, bad, Limits{}); err == nil {
		t.Error("a profile without a name")
	}
	bad.Name = name
	if _, err := NewMachine(Parent, bad, Limits{}); err != nil {
		t.Error(err)
	}
	// A copy is a profile of its own; many copies only evict one another from the cache.
	for i := range 100 {
		q := *p
		q.Name = string(rune('a' + i%26))
		if Greeting(&q, codecs, Limits{}, "").Hash == Greeting(p, codecs, Limits{}, "").Hash {
			t.Fatal("a copy has the hash of what it was copied from")
		}
	}
}

// sample is a profile with rows to require and to forbid.
func sample() *Profile {
	return &Profile{Name: "sample", Phases: []Phase{{Name: "work", Requester: Child, Commit: true, Rows: []Row{
		{Request: "hooks", Reply: "hooksDone", Max: 1}, {Request: "seccomp", Reply: "seccompDone", Max: 1},
	}}}}
}
