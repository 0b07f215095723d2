package transport_test

import (
	"context"
	"errors"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// What the peer would refuse for its depth does not leave: CONFIG is refused to the caller, and not by the child.
func TestTooDeepIsRefusedBeforeItLeaves(t *testing.T) {
	deep := syncproto.Value{}
	for range 40 {
		deep = syncproto.ListValue(deep)
	}
	parentEnd, childEnd := transporttest.Memory(transport.SeqPacket, 0)
	defer childEnd.Close()
	p, err := transport.NewParent(parentEnd, container.InitProfile(), transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Open(context.Background(), syncproto.MapValue(syncproto.Field{Name: "deep", Value: deep}),
		nil); !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeLimit}) {
		t.Errorf("forty levels of thirty-two: %v, want %s", err, syncproto.CodeLimit)
	}
}
