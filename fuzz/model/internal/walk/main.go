// Command walk is a short walk, for the test that plants mistakes in the code: its status is 1, and it prints the
// counterexample, if a law is broken.
package main

import (
	"fmt"
	"os"

	"github.com/handfast/handfast/fuzz/model"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// numbered is a profile whose messages are numbers, as they were once: a version of the program with one row more
// numbers them differently.
func numbered(rows ...string) *syncproto.Profile {
	setup := syncproto.Phase{Name: "setup", Requester: syncproto.Child, Commit: true}
	p := &syncproto.Profile{Name: "numbered", Phases: []syncproto.Phase{setup}}
	for i, meaning := range rows {
		number := string(rune('0' + 2*i))
		row := syncproto.Row{Request: number, Reply: number + "-ok", Max: 1, Doc: meaning}
		p.Phases[0].Rows = append(p.Phases[0].Rows, row)
	}
	return p
}

// parentRequests is a conversation in which the parent makes the first request.
func parentRequests() *syncproto.Profile {
	return &syncproto.Profile{Name: "requests", Phases: []syncproto.Phase{
		{Name: "questions", Requester: syncproto.Parent, Rows: []syncproto.Row{
			{Request: "what", Reply: "that", Max: 1, ReplyFDs: syncproto.FDCount{Max: 1}},
			{Request: "go", Reply: "going", Min: 1, Max: 1, Next: "last"},
		}},
		{Name: "last", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{
			{Request: "may", Reply: "yes", Max: 1},
		}},
	}}
}

func main() {
	hooked := container.InitProfile().Forbid("mount").Forbid("console").Require("hooks")
	for _, c := range []struct {
		p *syncproto.Profile
		o model.Options
	}{
		{numbered("ready", "hooks"), model.Options{Child: numbered("ready", "start", "hooks")}},
		{container.InitProfile(), model.Options{Commit: "ready", Narrowed: hooked}},
		{parentRequests(), model.Options{}},
	} {
		if _, err := model.Check(c.p, c.o); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}
