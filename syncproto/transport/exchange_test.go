package transport_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

type sumArg struct {
	Terms []int64 `sync:"terms"`
}

type sumReply struct {
	Sum int64 `sync:"sum"`
}

var (
	sum = syncproto.Exchange[sumArg, sumReply]{Row: syncproto.Row{
		Request: "sum", Reply: "total", RequestFDs: syncproto.FDCount{Max: 1}, ReplyFDs: syncproto.FDCount{Max: 1},
	}}
	wrong = syncproto.Exchange[sumReply, sumArg](sum) // the same row with other types
	blank = syncproto.Exchange[struct{}, struct{}]{Row: syncproto.Row{Request: "blank", Reply: "blanked"}}
)

func sums() *syncproto.Profile {
	return &syncproto.Profile{Name: "sums", Phases: []syncproto.Phase{
		{Name: "open", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{sum.Row, blank.Row}},
	}}
}

// summing runs a child's part against a parent's, and returns how each of them ended.
func summing(t *testing.T, childDoes func(*transport.Child) error, parentDoes func(*transport.Parent,
	*transport.Request) error) (parentErr, childErr error) {
	t.Helper()
	a, b := transporttest.Memory(transport.SeqPacket, 0)
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

func TestExchangeCarriesTypesBothWays(t *testing.T) {
	var got sumReply
	_, err := summing(t, func(c *transport.Child) (err error) {
		got, _, err = transport.Call(t.Context(), c, sum, sumArg{Terms: []int64{1, 2, 39}})
		return err
	}, func(p *transport.Parent, r *transport.Request) error {
		arg, err := transport.Arg(t.Context(), p, r, sum)
		if err != nil {
			return err
		}
		reply := sumReply{}
		for _, n := range arg.Terms {
			reply.Sum += n
		}
		return transport.Reply(t.Context(), p, sum, reply)
	})
	if err != nil || got.Sum != 42 {
		t.Errorf("%v, %v", got, err)
	}
}

// An argument that does not fit its type ends the conversation on both sides; the error names the field, and no
// descriptor stays open.
func TestExchangeRefusesWhatDoesNotFit(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	parentErr, childErr := summing(t, func(c *transport.Child) error {
		_, _, err := transport.Call(t.Context(), c, wrong, sumReply{42}, fd)
		return err
	}, func(p *transport.Parent, r *transport.Request) error {
		_, err := transport.Arg(t.Context(), p, r, sum)
		if r.FDs != nil {
			t.Error("the descriptors were kept")
		}
		return err
	})
	var f *transport.Failure
	if !errors.As(parentErr, &f) || f.Outcome != syncproto.Violated || !errors.Is(parentErr,
		&syncproto.ProtocolError{Code: syncproto.CodeDecode}) {
		t.Errorf("the parent: %v", parentErr)
	}
	if !errors.As(childErr, &f) || f.Outcome != syncproto.PeerError {
		t.Errorf("the child: %v", childErr)
	}
	_, childErr = summing(t, func(c *transport.Child) error {
		_, _, err := transport.Call(t.Context(), c, sum, sumArg{})
		return err
	}, func(p *transport.Parent, r *transport.Request) error {
		return transport.Reply(t.Context(), p, wrong, sumArg{Terms: []int64{1}}, fd)
	})
	if !errors.Is(childErr, &syncproto.ProtocolError{Code: syncproto.CodeDecode}) {
		t.Errorf("the child: %v", childErr)
	}
}

// An empty struct is sent as null, and nothing else is accepted in its place, not even an empty map.
func TestExchangeWithoutArguments(t *testing.T) {
	for _, tt := range []struct {
		arg  syncproto.Value
		want syncproto.Outcome
	}{
		{syncproto.Value{}, syncproto.Success},
		{syncproto.MapValue(), syncproto.Violated},
		{syncproto.MapValue(syncproto.Field{Name: "x", Value: syncproto.IntValue(1)}), syncproto.Violated},
		{syncproto.IntValue(1), syncproto.Violated},
	} {
		parentErr, _ := summing(t, func(c *transport.Child) error {
			_, _, err := c.Call(t.Context(), "blank", tt.arg)
			if err == nil {
				err = c.Exec(t.Context())
			}
			return err
		}, func(p *transport.Parent, r *transport.Request) error {
			if _, err := transport.Arg(t.Context(), p, r, blank); err != nil {
				return err
			}
			return transport.Reply(t.Context(), p, blank, struct{}{})
		})
		var f *transport.Failure
		if tt.want == syncproto.Success && parentErr != io.EOF {
			t.Errorf("%v: %v", tt.arg, parentErr)
		}
		if tt.want != syncproto.Success && (!errors.As(parentErr, &f) || f.Outcome != tt.want) {
			t.Errorf("%v: %v", tt.arg, parentErr)
		}
	}
	if v, err := syncproto.ToValue(struct{}{}); err != nil || !v.IsNull() {
		t.Errorf("nothing to say travels as %v, %v", v, err)
	}
}

// Replying to a request with the reply of another one is a bug in the caller: nothing is sent, and the request is still
// pending.
func TestReplyToAnotherRequest(t *testing.T) {
	parentErr, childErr := summing(t, func(c *transport.Child) error {
		_, _, err := transport.Call(t.Context(), c, blank, struct{}{})
		if err == nil {
			err = c.Exec(t.Context())
		}
		return err
	}, func(p *transport.Parent, _ *transport.Request) error {
		err := transport.Reply(t.Context(), p, sum, sumReply{42})
		if err == nil || !strings.Contains(err.Error(), `"blank" waits for its reply, and this one is for "sum"`) {
			t.Error(err)
		}
		return transport.Reply(t.Context(), p, blank, struct{}{})
	})
	if parentErr != io.EOF || childErr != nil {
		t.Error(parentErr, childErr)
	}
}

// Taking a request for another one is a bug in the caller, which keeps the descriptors.
func TestArgOfAnotherRequest(t *testing.T) {
	parentErr, _ := summing(t, func(c *transport.Child) error {
		_, _, err := transport.Call(t.Context(), c, blank, struct{}{})
		return err
	}, func(p *transport.Parent, r *transport.Request) error {
		_, err := transport.Arg(t.Context(), p, r, sum)
		if err == nil {
			t.Error("it was taken")
		}
		return p.Abort(t.Context(), err)
	})
	if parentErr == nil || !strings.Contains(parentErr.Error(), `the request is "blank", and is taken for "sum"`) {
		t.Error(parentErr)
	}
}
