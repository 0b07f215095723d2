package main

import (
	"testing"

	"github.com/handfast/handfast/syncproto/codec"
)

// mostAllocations is the limit of a conversation's allocations on both sides together, including the 14 lists and texts
// of the received configuration.
const mostAllocations = 40

// TestConversationTakesLittleMemory: a conversation with a container's configuration allocates little, on any machine.
func TestConversationTakesLittleMemory(t *testing.T) {
	w, err := newWork(newTerminal(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contenders() {
		h, ok := c.talker.(handfast)
		if !ok || c.memory || h.codec.Name() != codec.MessagePack().Name() {
			continue
		}
		held := &table{contender: c, setting: goroutines, work: *w, partner: newNeighbour(c.talker, *w)}
		var failed error
		n := testing.AllocsPerRun(50, func() {
			if _, err := held.talk(false); err != nil {
				failed = err
			}
		})
		if failed != nil || n > mostAllocations {
			t.Errorf("%s: %v allocations, want at most %d; %v", c.name, n, mostAllocations, failed)
		}
		if err := held.stop(); err != nil {
			t.Error(err)
		}
	}
}
