package transcript_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/transport/transporttest"
)

// A conversation is recorded, read, and replayed: what was sent and received leads to the same end again.
func Example() {
	profile := &syncproto.Profile{Name: "quiet", Phases: []syncproto.Phase{
		{Name: "work", Requester: syncproto.Child, Commit: true},
	}}
	var file bytes.Buffer
	recorder := transcript.NewRecorder(&file, syncproto.Parent, transcript.Options{})

	ctx := context.Background()
	ours, theirs := transporttest.Memory(transport.SeqPacket, 0)
	go func() {
		c, err := transport.NewChild(theirs, profile, transport.Options{})
		if err == nil {
			_, _, err = c.Accept(ctx)
		}
		if err == nil {
			err = c.Confirm(ctx)
		}
		if err == nil {
			err = c.Done(ctx)
		}
		if err != nil {
			log.Print(err)
		}
	}()
	p, err := transport.NewParent(ours, profile, transport.Options{Trace: recorder.Event})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	if err := p.Open(ctx, syncproto.MapValue(), nil); err != nil {
		log.Fatal(err)
	}
	if _, err := p.Next(ctx); err != io.EOF {
		log.Fatal(err)
	}
	if err := recorder.Err(); err != nil {
		log.Fatal(err)
	}

	t, err := transcript.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range t.Events {
		if e.End == syncproto.Undecided {
			fmt.Println(t.From(e), e.Header.Kind)
		}
	}
	verdict, err := t.Replay(profile)
	fmt.Println(verdict.Outcome, err)
	// Output:
	// parent HELLO
	// parent CONFIG
	// child HELLO_ACK
	// child CONFIG_OK
	// child EXEC
	// success <nil>
}
