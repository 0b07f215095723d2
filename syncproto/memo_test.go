package syncproto_test

import (
	"sync"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// A profile is validated, hashed and narrowed once, by as many goroutines as there may be; a bad one is judged again when it was mended.
func TestProfilesAreWorkedOutOnce(t *testing.T) {
	p := container.InitProfile()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			q := p.Require("hooks").Forbid("seccomp")
			if _, err := syncproto.NewMachine(syncproto.Parent, q, syncproto.Limits{}); err != nil || q != p.Require("hooks").Forbid("seccomp") {
				t.Errorf("%v, or narrowed anew", err)
			}
		})
	}
	group.Wait()
	codecs := []string{"json"}
	if n := testing.AllocsPerRun(100, func() {
		_ = syncproto.Greeting(p.Require("hooks").Forbid("seccomp"), codecs, syncproto.Limits{}, "")
	}); n > 0 {
		t.Errorf("%v allocations to narrow and greet once more", n)
	}
	bad := container.InitProfile()
	name := bad.Name
	bad.Name = ""
	if _, err := syncproto.NewMachine(syncproto.Parent, bad, syncproto.Limits{}); err == nil {
		t.Error("a profile without a name")
	}
	bad.Name = name
	if _, err := syncproto.NewMachine(syncproto.Parent, bad, syncproto.Limits{}); err != nil {
		t.Error(err)
	}
	// A copy is a profile of its own, and many of them push nothing but one another out.
	for i := range 100 {
		q := *p
		q.Name = string(rune('a' + i%26))
		if syncproto.Greeting(&q, codecs, syncproto.Limits{}, "").Hash == syncproto.Greeting(p, codecs, syncproto.Limits{}, "").Hash {
			t.Fatal("a copy has the hash of what it was copied from")
		}
	}
}
