package model

import (
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// parentRequests is a conversation in which the parent makes the first request, and may repeat it.
func parentRequests() *syncproto.Profile {
	return &syncproto.Profile{Name: "requests", Phases: []syncproto.Phase{
		{Name: "questions", Requester: parent, Rows: []syncproto.Row{
			{Request: "what", Reply: "that", Max: 1, ReplyFDs: syncproto.FDCount{Max: 1}},
			{Request: "go", Reply: "going", Min: 1, Max: 1, Next: "last"},
		}},
		{Name: "last", Requester: child, Commit: true, Rows: []syncproto.Row{{Request: "may", Reply: "yes", Max: 1}}},
	}}
}

// hooked is init narrowed by a configuration with hooks and without a terminal.
func hooked() *syncproto.Profile {
	return container.InitProfile().Forbid("mount").Forbid("console").Require("hooks")
}

func TestEveryConversation(t *testing.T) {
	for _, tt := range []struct {
		name string
		p    *syncproto.Profile
		o    Options
	}{
		{"init with mounts", container.InitProfile(), Options{
			Commit: "ready", Narrowed: container.InitProfile().Forbid("hooks").Forbid("seccomp"), Room: 1,
		}},
		{"init with a console", container.InitProfile(), Options{
			Commit: "ready", Narrowed: container.InitProfile().Forbid("mount"), Room: 1,
		}},
		{"init with hooks", container.InitProfile(), Options{Commit: "ready", Narrowed: hooked()}},
		{"init with two codecs", container.InitProfile(), Options{
			Commit: "ready", Codecs: 2, Narrowed: container.InitProfile().Forbid("mount").Forbid("hooks"),
		}},
		{"setns", container.SetnsProfile(), Options{Commit: "ready"}},
		{"start", container.StartProfile(), Options{Room: 3}},
		{"the parent makes requests", parentRequests(), Options{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := Check(tt.p, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Ends) < 50 {
				t.Errorf("only %d ways to end: the walk does not go far", len(r.Ends))
			}
			t.Log(r)
		})
	}
}

// numbered is a profile whose messages are numbers, with one row more or less: two versions of a program, as they were
// once.
func numbered(rows ...string) *syncproto.Profile {
	p := &syncproto.Profile{Name: "numbered", Phases: []syncproto.Phase{{Name: "setup", Requester: child, Commit: true}}}
	for i, meaning := range rows {
		number := string(rune('0' + 2*i))
		row := syncproto.Row{Request: number, Reply: number + "-ok", Max: 1, Doc: meaning}
		p.Phases[0].Rows = append(p.Phases[0].Rows, row)
	}
	return p
}

// Two versions that number their messages differently would run each other's hooks. They must find out before anything
// happens.
func TestTwoVersionsPartBeforeAnythingHappens(t *testing.T) {
	r, err := Check(numbered("ready", "hooks"), Options{Child: numbered("ready", "start", "hooks")})
	if err != nil {
		t.Fatal(err)
	}
	for end := range r.Ends {
		if strings.Contains(end, "success") {
			t.Error(end)
		}
	}
}

func TestWhatCannotBeWalkedIsRefused(t *testing.T) {
	broken := parentRequests()
	broken.Phases[0].Rows[1].Next = "nowhere"
	_, err := Check(broken, Options{})
	if !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeProfile}) {
		t.Errorf("a profile that is not valid: %v", err)
	}
	wide := parentRequests()
	for _, name := range "abcdefghijklm" {
		wide.Phases[1].Rows = append(wide.Phases[1].Rows, syncproto.Row{Request: string(name), Reply: "ok"})
	}
	if _, err := Check(wide, Options{}); err == nil || !strings.Contains(err.Error(), "16 rows") {
		t.Errorf("a profile of too many rows: %v", err)
	}
}
