package transport_test

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

type sumArg struct {
	Terms []int64 `sync:"terms"`
}

type sumAnswer struct {
	Sum int64 `sync:"sum"`
}

func sums() *syncproto.Profile {
	return &syncproto.Profile{Name: "sums", Phases: []syncproto.Phase{{Name: "open", Asker: syncproto.Child, Commit: true, Rows: []syncproto.Row{
		{Request: "sum", Reply: "total", RequestFDs: syncproto.FDCount{Max: 1}, ReplyFDs: syncproto.FDCount{Max: 1}},
	}}}}
}

// summing runs a child's part against a parent's, and returns how each ended.
func summing(t *testing.T, childDoes func(*transport.Peer) error, parentDoes func(*transport.Peer, *transport.Request) error) (parentErr, childErr error) {
	t.Helper()
	a, b := transport.Memory(transport.SeqPacket, 0)
	p, err := transport.NewParent(a, sums(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.NewChild(b, sums(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	done := make(chan error, 1)
	go func() {
		_, _, err := c.Accept(t.Context())
		if err == nil {
			err = c.Confirm(t.Context())
		}
		if err == nil {
			err = childDoes(c)
		}
		done <- err
		_ = c.Close()
	}()
	err = p.Open(t.Context(), syncproto.Value{}, nil)
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(t.Context()); err == nil {
			err = parentDoes(p, req)
		}
	}
	return err, <-done
}

func TestAskCarriesTypesBothWays(t *testing.T) {
	sum := transport.Ask[sumArg, sumAnswer]{Name: "sum"}
	var got sumAnswer
	_, err := summing(t, func(c *transport.Peer) (err error) {
		got, _, err = sum.Call(t.Context(), c, sumArg{Terms: []int64{1, 2, 39}})
		return err
	}, func(p *transport.Peer, r *transport.Request) error {
		arg, err := sum.Arg(t.Context(), p, r)
		if err != nil {
			return err
		}
		answer := sumAnswer{}
		for _, n := range arg.Terms {
			answer.Sum += n
		}
		return sum.Reply(t.Context(), p, answer)
	})
	if err != nil || got.Sum != 42 {
		t.Errorf("%v, %v", got, err)
	}
}

// What does not fit its type ends the conversation on both sides, names the field, and keeps no descriptor.
func TestAskRefusesWhatDoesNotFit(t *testing.T) {
	sum := transport.Ask[sumArg, sumAnswer]{Name: "sum"}
	wrong := transport.Ask[sumAnswer, sumArg]{Name: "sum"}
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	parentErr, childErr := summing(t, func(c *transport.Peer) error {
		_, _, err := wrong.Call(t.Context(), c, sumAnswer{42}, fd)
		return err
	}, func(p *transport.Peer, r *transport.Request) error {
		_, err := sum.Arg(t.Context(), p, r)
		if r.FDs != nil {
			t.Error("the descriptors were kept")
		}
		return err
	})
	var f *transport.Failure
	if !errors.As(parentErr, &f) || f.Outcome != syncproto.Violated || !errors.Is(parentErr, &syncproto.ProtocolError{Code: syncproto.CodeDecode}) {
		t.Errorf("the parent: %v", parentErr)
	}
	if !errors.As(childErr, &f) || f.Outcome != syncproto.PeerError {
		t.Errorf("the child: %v", childErr)
	}
	_, childErr = summing(t, func(c *transport.Peer) error {
		_, _, err := sum.Call(t.Context(), c, sumArg{})
		return err
	}, func(p *transport.Peer, r *transport.Request) error {
		return wrong.Reply(t.Context(), p, sumArg{Terms: []int64{1}}, fd)
	})
	if !errors.Is(childErr, &syncproto.ProtocolError{Code: syncproto.CodeDecode}) {
		t.Errorf("the child: %v", childErr)
	}
}
