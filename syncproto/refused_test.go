package syncproto

import (
	"errors"
	"testing"
)

// A required request that the parent refused is not done: the child cannot leave the phase as if it were.
func TestRefusalDoesNotSatisfyARequiredRow(t *testing.T) {
	p := Init().Require("hooks")
	child, err := NewMachine(Child, p, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	parent, err := NewMachine(Parent, p, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	parent.Offer(1)
	child.Offer(1)
	pass := func(from, to *Machine, f Frame) error {
		h, err := from.Send(f)
		if err != nil {
			return err
		}
		return to.Receive(h, f.Name)
	}
	for _, step := range []struct {
		from, to *Machine
		f        Frame
	}{
		{parent, child, Frame{Kind: KindHello, Size: 1}}, {child, parent, Frame{Kind: KindHelloAck, Size: 1}}, {parent, child, Frame{Kind: KindConfig, Size: 1}},
		{child, parent, Frame{Kind: KindConfigOK, Size: 1}}, {child, parent, Frame{Kind: KindRequest, Name: "hooks", Size: 1}},
		{parent, child, Frame{Kind: KindError, Fail: true, Size: 1}},
	} {
		if err := pass(step.from, step.to, step.f); err != nil {
			t.Fatal(step.f.Kind, err)
		}
	}
	if _, err := child.Send(Frame{Kind: KindRequest, Name: "ready"}); !errors.Is(err, &ProtocolError{Code: CodeState}) {
		t.Errorf("ready after refused hooks: %v", err)
	}
	if _, err := child.Send(Frame{Kind: KindRequest, Name: "hooks"}); !errors.Is(err, &ProtocolError{Code: CodeState}) {
		t.Errorf("hooks once more than at most once: %v", err)
	}
}
