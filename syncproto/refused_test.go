package syncproto_test

import (
	"errors"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// A required request that the parent refused is still required: the child cannot leave the phase.
func TestRefusalDoesNotSatisfyARequiredRow(t *testing.T) {
	p := container.InitProfile().Require("hooks")
	child, err := syncproto.NewMachine(syncproto.Child, p, syncproto.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	parent, err := syncproto.NewMachine(syncproto.Parent, p, syncproto.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	parent.Offer(1)
	child.Offer(1)
	pass := func(from, to *syncproto.Machine, f syncproto.Frame) error {
		h, err := from.Send(f)
		if err != nil {
			return err
		}
		return to.Receive(h, f.Name)
	}
	for _, step := range []struct {
		from, to *syncproto.Machine
		f        syncproto.Frame
	}{
		{parent, child, syncproto.Frame{Kind: syncproto.KindHello, Size: 1}},
		{child, parent, syncproto.Frame{Kind: syncproto.KindHelloAck, Size: 1}},
		{parent, child, syncproto.Frame{Kind: syncproto.KindConfig, Size: 1}},
		{child, parent, syncproto.Frame{Kind: syncproto.KindConfigOK, Size: 1}},
		{child, parent, syncproto.Frame{Kind: syncproto.KindRequest, Name: "hooks", Size: 1}},
		{parent, child, syncproto.Frame{Kind: syncproto.KindError, Fail: true, Size: 1}},
	} {
		if err := pass(step.from, step.to, step.f); err != nil {
			t.Fatal(step.f.Kind, err)
		}
	}
	if _, err := child.Send(syncproto.Frame{Kind: syncproto.KindRequest, Name: "ready"}); !errors.Is(err,
		&syncproto.ProtocolError{Code: syncproto.CodeState}) {
		t.Errorf("ready after refused hooks: %v", err)
	}
	if _, err := child.Send(syncproto.Frame{Kind: syncproto.KindRequest, Name: "hooks"}); !errors.Is(err,
		&syncproto.ProtocolError{Code: syncproto.CodeState}) {
		t.Errorf("hooks once more than at most once: %v", err)
	}
}
