package vectors

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// corners are rare cases: the lowest limits, empty packets, frames that may be skipped, requests that are refused, and
// texts of errors.
func corners(t testing.TB) (all []Vector) {
	all = append(all, leastLimits(t)...)
	all = append(all, emptyPackets(t)...)
	all = append(all, skipped(t)...)
	all = append(all, refusedRequests(t)...)
	all = append(all, cancelsWithoutReason(t)...)
	all = append(all, absentFields(t)...)
	all = append(all, ownLimit(t))
	return append(all, reports()...)
}

// ownLimit has the child's own limit of descriptors drop some that the parent has sent correctly.
func ownLimit(t testing.TB) Vector {
	about := "The child's own limit of open descriptors drops some of CONFIG: its own failure, and no violation."
	s := newScript(t, KindChild, "descriptors/own-limit", "json", "10", about)
	s.v.NoFile = 24
	s.greet()
	s.send(syncproto.KindConfig, 0, encode(t, s.codec, harmless("/bin/true")), func(f *frame) { f.h.NFDs, f.fds = 32, 32 })
	s.expect("ERROR", "code=limit", "re=0")
	return s.done("refuse limit")
}

// finish adds the rest of a successful conversation, from "ready" on.
func (s *script) finish() Vector {
	s.call(syncproto.KindReply, lastRequest, "run")
	s.expect("EXEC", "re=0")
	return s.done("accept")
}

// leastLimits uses the lowest value of each limit, section 13.
func leastLimits(t testing.TB) (all []Vector) {
	least := syncproto.Limits{
		Control: 1024, Error: 1024, Fragment: 1024, Message: 1024, Config: 1024, Notes: 1, Frames: 16, Depth: 4,
	}
	h := greeting("json")
	h.Limits = least
	s := newScript(t, KindChild, "greeting/least-limits", "json", "13", "Each limit at its least.")
	s.hello(h)
	s.expect("HELLO_ACK", "re=1")
	s.configure("/bin/true", 0)
	s.expect("REQUEST", "name=ready", "fds=0")
	all = append(all, s.finish())
	for _, e := range []struct {
		name string
		set  func(l *syncproto.Limits)
	}{
		{"control", func(l *syncproto.Limits) { l.Control-- }},
		{"error", func(l *syncproto.Limits) { l.Error-- }},
		{"fragment", func(l *syncproto.Limits) { l.Fragment-- }},
		{"message", func(l *syncproto.Limits) { l.Message-- }},
		{"config", func(l *syncproto.Limits) { l.Config-- }},
		{"frames", func(l *syncproto.Limits) { l.Frames-- }},
		{"depth", func(l *syncproto.Limits) { l.Depth-- }},
	} {
		h.Limits = least
		e.set(&h.Limits)
		about := "The limit " + e.name + " is one below its least."
		s := newScript(t, KindChild, "greeting/below-least-"+e.name, "json", "13", about)
		s.hello(h)
		s.expect("ERROR", "code=limit", "re=0")
		all = append(all, s.done("refuse limit"))
	}
	return all
}

// emptyPackets are packets without a byte while the peer still has its end open.
func emptyPackets(t testing.TB) (all []Vector) {
	for _, at := range []string{"hello", "config", "reply"} {
		about := "An empty packet is not the end of file: the parent has not closed its end."
		s := newScript(t, KindChild, "packet/empty-at-"+at, "json", "3", about)
		s.v.Socket = "seqpacket"
		switch at {
		case "config":
			s.greet()
		case "reply":
			s.ready("/bin/true")
		}
		s.raw(nil, 0)
		s.expect("ERROR", "code=frame", "re=0")
		all = append(all, s.done("refuse frame"))
	}
	for _, at := range []string{"request", "exec"} {
		s := opened(t, "", "json", "3", "An empty packet is not the end of file: the child has not closed its end.")
		s.v.Name, s.v.Socket = "parent/packet/empty-at-"+at, "seqpacket"
		if at == "exec" {
			s.request("ready", "run", 0)
			s.send(syncproto.KindExec, 0, nil)
		}
		s.raw(nil, 0)
		all = append(all, s.done("violated frame"))
	}
	return all
}

// skipped are frames that may be skipped, and frames that only look like such frames.
func skipped(t testing.TB) (all []Vector) {
	skip := func(f *frame) { f.h.Flags |= syncproto.FlagSkippable }
	about := "The descriptors of a frame that is skipped are closed."
	s := newScript(t, KindChild, "skip/with-descriptors", "json", "4", about)
	s.greet()
	s.send(200, 0, nil, skip, func(f *frame) { f.h.NFDs, f.fds = 2, 2 })
	s.configure("/bin/true", 0)
	s.expect("REQUEST", "name=ready")
	all = append(all, s.finish())
	s = newScript(t, KindChild, "skip/known-kind", "json", "4", "SKIPPABLE means nothing on a kind that is known.")
	s.ready("/bin/true")
	s.call(syncproto.KindReply, lastRequest, "run", skip)
	s.expect("EXEC", "re=0")
	all = append(all, s.done("accept"))
	wrong := func(name, code, about string, edit func(f *frame)) {
		s := newScript(t, KindChild, "skip/"+name, "json", "4", about)
		s.ready("/bin/true")
		s.send(200, 0, nil, skip, edit)
		s.expect("ERROR", "code="+code, "re=0")
		all = append(all, s.done("refuse "+code))
	}
	wrong("seq", "frame", "A frame that is skipped counts: its number is the next.", func(f *frame) { f.h.Seq++ })
	wrong("length", "limit", "A frame that is skipped has the limit of control.", func(f *frame) { f.h.Length = 4097 })
	wrong("more", "frame", "A frame that is skipped is not cut into fragments.", setMore)
	wrong("fds", "descriptors", "A frame that is skipped has as many descriptors as it says.",
		func(f *frame) { f.h.NFDs = 1 })
	s = opened(t, "skip", "json", "4", "A frame of an unknown kind may be skipped after EXEC too, and success it is.")
	s.v.Name = "parent/skip/after-exec"
	s.request("ready", "run", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.send(200, 0, []byte("later"), skip)
	s.do("shutdown")
	all = append(all, s.done("success"))
	s = opened(t, "skip", "json", "4", "A frame of a known kind may not come after EXEC, whatever its flags.")
	s.v.Name = "parent/skip/known-after-exec"
	s.request("ready", "run", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.send(syncproto.KindNote, 0, encode(t, s.codec, syncproto.Note{Level: "info", Text: "x"}), skip)
	s.do("shutdown")
	return append(all, s.done("violated state"))
}

// refuseSource is the source of a mount that a parent under test refuses; README.md states it.
const refuseSource = "/refuse"

// refusedRequests are conversations that go on after a request was refused.
func refusedRequests(t testing.TB) (all []Vector) {
	mount := func(s *script) {
		arg := syncproto.MapValue(syncproto.Field{Name: "source", Value: syncproto.StringValue(refuseSource)})
		s.send(syncproto.KindRequest, 0, encode(t, s.codec, syncproto.Call{Name: "mount", Arg: arg}))
		s.expect("ERROR", "re="+utoa(s.seq), "code=setup")
	}
	s := opened(t, "", "json", "6",
		"A refusal does not end the conversation: the child makes the request again and gets its reply.")
	s.v.Name = "parent/refused/goes-on"
	mount(s)
	mount(s)
	s.request("mount", "mounted", 0)
	s.request("ready", "run", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.do("shutdown")
	all = append(all, s.done("success"))
	s = opened(t, "", "json", "6", "A refused request, and the child gives up: the conversation ends by its ERROR.")
	s.v.Name = "parent/refused/fails"
	mount(s)
	s.report("setup", 0)
	s.do("shutdown")
	all = append(all, s.done("peer-error setup"))
	s = opened(t, "refused/dies", "json", "2", "A refused request, and the child ends without a word: it has died.")
	s.v.Name = "parent/refused/dies"
	mount(s)
	s.do("shutdown")
	return append(all, s.done("died"))
}

// without returns v in JSON without the field of that name.
func without[T any](t testing.TB, v T, name string) []byte {
	var rest []syncproto.Field
	val, err := syncproto.ToValue(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range val.Fields() {
		if f.Name != name {
			rest = append(rest, f)
		}
	}
	if len(rest) != len(val.Fields())-1 {
		t.Fatalf("there is no field %q", name)
	}
	return encode(t, codec.JSON(), syncproto.MapValue(rest...))
}

// absentFields are messages in which a required field is absent, or a field is out of range.
func absentFields(t testing.TB) (all []Vector) {
	toChild := func(name, about string, play func(s *script)) {
		s := newScript(t, KindChild, "absent/"+name, "json", "5", about)
		play(s)
		s.expect("ERROR", "code=decode", "re=0")
		all = append(all, s.done("refuse decode"))
	}
	toParent := func(name, about string, play func(s *script)) {
		s := newScript(t, KindParent, "absent/"+name, "json", "5", about)
		play(s)
		s.do("shutdown")
		all = append(all, s.done("violated decode"))
	}
	for _, name := range []string{"min", "max", "codecs", "profile", "hash", "limits"} {
		toChild("hello-"+name, "HELLO without `"+name+"`.", func(s *script) {
			s.hello(greeting("json"), body(without(t, greeting("json"), name)))
		})
	}
	for _, name := range []string{"name", "arg"} {
		toChild("reply-"+name, "REPLY without `"+name+"`.", func(s *script) {
			s.ready("/bin/true")
			s.call(syncproto.KindReply, lastRequest, "run", body(without(t, syncproto.Call{Name: "run"}, name)))
		})
	}
	text := string(encode(t, codec.JSON(), greeting("json")))
	for name, notes := range map[string]string{"negative": "-1", "too-large": "65536", "text": `"8"`, "null": "null"} {
		about := "A limit of HELLO is " + strings.ReplaceAll(name, "-", " ") + ": it is of another type or range."
		toChild("hello-notes-"+name, about, func(s *script) {
			s.hello(greeting("json"), body([]byte(strings.Replace(text, `"notes":256`, `"notes":`+notes, 1))))
		})
	}
	h := greeting("json")
	h.Limits.Notes, h.Limits.Frames = parentLimits.Notes, parentLimits.Frames
	ack := syncproto.HelloAck{Version: 1, Codec: "json", Limits: h.Limits, PID: 1}
	for _, name := range []string{"version", "codec", "limits", "pid"} {
		toParent("hello-ack-"+name, "HELLO_ACK without `"+name+"`.", func(s *script) {
			s.acknowledge(nil, body(without(t, ack, name)))
		})
	}
	for _, name := range []string{"size", "digest"} {
		toParent("config-ok-"+name, "CONFIG_OK without `"+name+"`.", func(s *script) {
			s.acknowledge(nil)
			s.confirm(nil, body(without(t, syncproto.ConfigOK{Size: 1, Digest: "0"}, name)))
		})
	}
	toParent("request-name", "REQUEST without `name`.", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil)
		s.call(syncproto.KindRequest, 0, "ready", body(without(t, syncproto.Call{Name: "ready"}, "name")))
	})
	return all
}

// cancelsWithoutReason are CANCELs with an invalid body.
func cancelsWithoutReason(t testing.TB) (all []Vector) {
	for name, payload := range map[string]string{"garbage": "\xc1", "without-reason": "{}"} {
		about := "A CANCEL whose body is not as it should be is a violation like any other."
		s := newScript(t, KindChild, "cancel/"+name, "json", "6", about)
		s.ready("/bin/true")
		s.send(syncproto.KindCancel, 0, []byte(payload))
		s.expect("ERROR", "code=decode", "re=0")
		all = append(all, s.done("refuse decode"))
	}
	return all
}

// reports are bodies of ERROR and the text that a reader shows for them. A star stands for text that differs between
// systems.
func reports() (all []Vector) {
	add := func(name, verdict, about, words, data string) {
		all = append(all, Vector{
			Name: "report/" + name, Kind: KindReport, About: about, Section: "6",
			Words: words, Verdict: verdict, Data: []byte(data),
		})
	}
	said := func(name, about, words string, nodes ...string) {
		add(name, "accept", about, words, `{"code":"setup","role":"child","nodes":[`+strings.Join(nodes, ",")+`]}`)
	}
	const open = `{"type":"path","op":"open","path":"/x"}`
	said("text", "Nothing but words.", "it broke", `{"type":"text","text":"it broke"}`)
	said("path", "An operation and its path, then the errno's words.", "open /x: no such file",
		open, `{"parent":1,"type":"errno","text":"no such file","errno":"ENOENT"}`)
	said("errno-without-text", "An errno without text: the text that this system has for it, and its name.",
		"open /x: * (ENOENT)", open, `{"parent":1,"type":"errno","errno":"ENOENT"}`)
	said("errno-unknown", "An errno that this system does not have: its name.", "open /x: EOFTOMORROW",
		open, `{"parent":1,"type":"errno","errno":"EOFTOMORROW"}`)
	said("errno-alone", "A single node that has it all.", "open /x: * (EIO)",
		`{"type":"path","op":"open","path":"/x","errno":"EIO"}`)
	said("sentinel-unknown", "A sentinel that this side has not registered: its name.", "example.com/app.ErrBusy",
		`{"type":"sentinel","sentinel":"example.com/app.ErrBusy"}`)
	said("type-unknown", "A type that the reader does not know is text.", "said here: said below",
		`{"type":"of-tomorrow","text":"said here"}`, `{"parent":1,"type":"text","text":"said below"}`)
	said("join", "Several causes of one error, a line each, which a reader shows as \"; \".", "setup: one; two",
		`{"type":"text","text":"setup"}`, `{"parent":1,"type":"join"}`,
		`{"parent":2,"type":"text","text":"one"}`, `{"parent":2,"type":"text","text":"two"}`)
	said("whole", "The text holds those of the nodes below.", "two of three: the second",
		`{"type":"text","text":"two of three: the second","whole":true}`, `{"parent":1,"type":"text","text":"the second"}`)
	said("cut", "What was cut shows.", "a long...", `{"type":"text","text":"a long","truncated":true}`)
	said("parent-behind", "A parent that does not stand before its node is the root.", "a: b",
		`{"type":"text","text":"a"}`, `{"parent":7,"type":"text","text":"b"}`)
	said("no-words", "Nothing is there: the code is all that can be said.", "setup error without words", `{"type":"text"}`)
	said("no-nodes", "No node at all.", "setup error without words")
	said("escapes", "What would write on a terminal is escaped.", `a\x1b[31m; b`,
		`{"type":"text","text":"a\u001b[31m\nb"}`)
	const unreadable = "It is an ERROR nevertheless; a reader says that it cannot be read."
	add("no-code", "refuse decode", unreadable, "", `{"role":"child","nodes":[]}`)
	add("no-type", "refuse decode", unreadable, "", `{"code":"setup","role":"child","nodes":[{"text":"x"}]}`)
	add("not-json", "refuse decode", unreadable, "", `{`)
	return all
}
