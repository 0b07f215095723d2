package session_test

import (
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// Two Sessions hold a whole conversation in memory. The code between them does what a driver does: it moves frames and
// reports to each side what happened to them.
func Example() {
	copier := &syncproto.Profile{Name: "copier", Phases: []syncproto.Phase{
		{Name: "work", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{{Request: "size", Reply: "is"}}},
	}}
	settings := session.Settings{Profile: copier, Codecs: []codec.Codec{codec.JSON()}}
	parent, err := session.New(syncproto.Parent, &settings)
	if err != nil {
		fmt.Println(err)
		return
	}
	theirs := settings
	child, err := session.New(syncproto.Child, &theirs)
	if err != nil {
		fmt.Println(err)
		return
	}

	// deliver moves one frame: it reports to one side that the frame was sent, and to the other that it arrived.
	deliver := func(from, to *session.Session, frame []byte, err error) session.Event {
		if err != nil {
			fmt.Println("not sent:", err)
			return session.Event{}
		}
		from.Written()
		h, err := syncproto.ParseHeader(frame)
		if err == nil {
			err = to.Admit(h)
		}
		var ev session.Event
		if err == nil {
			ev, err = to.Receive(h, frame[syncproto.HeaderSize:])
		}
		fmt.Printf("the %v says %v (%v)\n", from.Role(), h.Kind, err)
		return ev
	}

	frame, err := parent.Hello(nil)
	deliver(&parent, &child, frame, err)
	for child.Due() { // HELLO_ACK is the Session's own
		frame, err = child.Say(nil)
		deliver(&child, &parent, frame, err)
	}
	config := []byte(`{"from":"a","to":"b"}`)
	frame, _, err = parent.Config(nil, config, 0, 0)
	got := deliver(&parent, &child, frame, err)
	frame, err = child.Confirm(nil, got.Bytes)
	deliver(&child, &parent, frame, err)

	frame, err = child.Call(nil, syncproto.KindRequest, syncproto.Call{Name: "size"}, 0)
	request := deliver(&child, &parent, frame, err)
	reply := syncproto.Call{Name: parent.ReplyName(), Arg: syncproto.IntValue(4096)}
	frame, err = parent.Call(nil, syncproto.KindReply, reply, 0)
	size := deliver(&parent, &child, frame, err)
	fmt.Println(request.Name, size.Arg)

	frame, err = child.Exec(nil)
	deliver(&child, &parent, frame, err)
	parent.EndOfFile(false) // the execution has closed the child's end
	fmt.Println(parent.Over(), parent.Verdict().Outcome)

	// Output:
	// the parent says HELLO (<nil>)
	// the child says HELLO_ACK (<nil>)
	// the parent says CONFIG (<nil>)
	// the child says CONFIG_OK (<nil>)
	// the child says REQUEST (<nil>)
	// the parent says REPLY (<nil>)
	// size 4096
	// the child says EXEC (<nil>)
	// true success
}
