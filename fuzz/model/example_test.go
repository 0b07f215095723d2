package model_test

import (
	"fmt"

	"github.com/handfast/handfast/fuzz/model"
	"github.com/handfast/handfast/syncproto"
)

// Test a table of your own: no deadlock, no lost error, one verdict on each side, whatever happens and when.
func ExampleCheck() {
	worker := &syncproto.Profile{Name: "worker", Phases: []syncproto.Phase{
		{Name: "work", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{
			{Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1}},
		}},
	}}
	r, err := model.Check(worker, model.Options{})
	fmt.Println(err, r.Worlds > 10_000, r.Transitions > r.Worlds)
	// Output: <nil> true true
}
