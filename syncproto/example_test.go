package syncproto_test

import (
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// A conversation is a table. Validate refuses a table that cannot be run or could never end, and names the row.
func ExampleProfile_Validate() {
	p := &syncproto.Profile{Name: "opener", Phases: []syncproto.Phase{
		{Name: "files", Requester: syncproto.Child, Rows: []syncproto.Row{
			{Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1}},
			{Request: "enough", Reply: "goodbye", Min: 1, Max: 1},
		}},
		{Name: "alone", Requester: syncproto.Child, Commit: true},
	}}
	fmt.Println(p.Validate())
	p.Phases[0].Rows[1].Next = "alone"
	fmt.Println(p.Validate())
	// Output:
	// syncproto: profile "opener", phase "files": EXEC cannot be reached from it: no row leaves it
	// <nil>
}

// A machine decides which frames are legal now; it does no I/O. The same code runs in both roles.
func ExampleMachine() {
	m, err := syncproto.NewMachine(syncproto.Parent, container.StartProfile(), syncproto.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = m.Send(syncproto.Frame{Kind: syncproto.KindReply, Name: "run"})
	fmt.Println(err)
	h, err := m.Send(syncproto.Frame{Kind: syncproto.KindHello, Size: 100})
	fmt.Printf("%v % x %v\n", err, h.Append(nil), m.State())
	fmt.Println(m.EndOfFile().Outcome)
	// Output:
	// syncproto: REPLY from the parent: not in this state (state Opened)
	// <nil> 53 59 01 01 00 00 00 01 00 00 00 00 00 00 00 64 Greeted
	// died
}
