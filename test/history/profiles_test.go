package history

import (
	"testing"

	"github.com/handfast/handfast/syncproto"
)

// profiles are the generations as profiles. What a profile cannot express, they could not either: how often, in which
// phase, and what must come before "run".
var profiles = []*syncproto.Profile{
	{Name: "g1", Doc: "The configuration, then silence.", Phases: []syncproto.Phase{
		{Name: "setup", Requester: syncproto.Child, Commit: true}}},
	{Name: "g2", Doc: "The parent limits the child between ready and run.", Phases: []syncproto.Phase{
		{Name: "setup", Requester: syncproto.Child, Rows: []syncproto.Row{readyRow("ready", "run")}}, released}},
	{Name: "g3a", Doc: "Hooks, by the numbers that the messages had.", Phases: []syncproto.Phase{
		{Name: "setup", Requester: syncproto.Child, Rows: []syncproto.Row{{Request: "3", Reply: "4", Max: 1},
			readyRow("0", "2")}}, released}},
	{Name: "g3a-setns", Doc: "Who joined a container had no say.", Phases: []syncproto.Phase{{Name: "setup",
		Requester: syncproto.Child, Commit: true}}},
	{Name: "g3b", Doc: "Types are strings, and a console comes in one message instead of four.", Phases: []syncproto.Phase{
		{Name: "setup", Requester: syncproto.Child, Rows: []syncproto.Row{consoleRow,
			{Request: "procHooks", Reply: "procResume", Max: 1}, readyRow("procReady", "procRun")}}, released}},
	{Name: "g3b-setns", Doc: "Who joins a container has a console too.", Phases: []syncproto.Phase{
		{Name: "setup", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{consoleRow}}}},
	{Name: "head", Doc: "Today's runc.", Phases: []syncproto.Phase{
		{Name: "setup", Requester: syncproto.Child, Rows: []syncproto.Row{
			{Request: "procMountPlease", Reply: "procMountFd", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1}},
			{Request: "procHooks", Reply: "procHooksDone", Max: 1},
			readyRow("procReady", "procRun")}},
		{Name: "released", Requester: syncproto.Child, Commit: true, Rows: []syncproto.Row{{Request: "procSeccomp",
			Reply: "procSeccompDone", Max: 1}}}}},
}

var (
	released   = syncproto.Phase{Name: "released", Requester: syncproto.Child, Commit: true}
	consoleRow = syncproto.Row{Request: "procConsole", Reply: "procConsoleAck", Max: 1,
		RequestFDs: syncproto.FDCount{Min: 1, Max: 1}}
)

func readyRow(request, reply string) syncproto.Row {
	return syncproto.Row{Request: request, Reply: reply, Min: 1, Max: 1, Next: "released"}
}

func profileByName(t testing.TB, name string) *syncproto.Profile {
	t.Helper()
	for _, p := range profiles {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no profile %q", name)
	return nil
}

// TestGenerationsAreProfiles: they are valid profiles, and no two of them have the same hash.
func TestGenerationsAreProfiles(t *testing.T) {
	seen := map[uint64]string{}
	for _, p := range profiles {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
		if other := seen[p.Hash()]; other != "" {
			t.Errorf("%s has the hash of %s", p.Name, other)
		}
		seen[p.Hash()] = p.Name
	}
}
