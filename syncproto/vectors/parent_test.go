package vectors

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// parentConfig is the configuration that a parent under test sends; README.md states it.
func parentConfig() syncproto.Value {
	return syncproto.MapValue(syncproto.Field{Name: "id", Value: syncproto.StringValue("conformance")})
}

// acknowledge is the child's part of the opening.
func (s *script) acknowledge(edit func(a *syncproto.HelloAck), edits ...func(*frame)) {
	h := greeting(s.v.Codec)
	h.Limits.Notes, h.Limits.Frames = parentLimits.Notes, parentLimits.Frames
	a := syncproto.HelloAck{Version: 1, Codec: s.v.Codec, Limits: h.Limits, PID: 1}
	if edit != nil {
		edit(&a)
	}
	s.expect("HELLO")
	s.send(syncproto.KindHelloAck, 1, encode(s.t, codec.JSON(), a), edits...)
}

// parentLimits are the limits of a parent under test that differ from the default; README.md states them.
var parentLimits = syncproto.Limits{Notes: 4, Frames: 32}

func (s *script) confirm(edit func(ok *syncproto.ConfigOK), edits ...func(*frame)) {
	b, err := s.codec.Append(nil, parentConfig())
	if err != nil {
		s.t.Fatal(err)
	}
	ok := syncproto.ConfigOK{Size: uint32(len(b)), Digest: syncproto.Digest(b)}
	if edit != nil {
		edit(&ok)
	}
	s.expect("CONFIG")
	s.send(syncproto.KindConfigOK, 2, encode(s.t, s.codec, ok), edits...)
}

func (s *script) request(name, reply string, fds int) {
	s.call(syncproto.KindRequest, 0, name, func(f *frame) { f.h.NFDs, f.fds = uint8(fds), fds })
	if reply != "" {
		s.expect("REPLY", "name="+reply, "re="+utoa(s.seq))
	}
}

func utoa(n uint16) string {
	return strings.TrimLeft(string([]byte{'0' + byte(n/10%10), '0' + byte(n%10)}), "0")
}

func (s *script) report(code syncproto.Code, re uint16) {
	s.send(syncproto.KindError, re, encode(s.t, codec.JSON(), syncproto.Report{Code: code, Role: "child",
		Nodes: []syncproto.ReportNode{
			{Type: "path", Op: "open", Path: "/x"}, {Parent: 1, Type: "errno", Errno: "ENOENT"}}}))
}

// parents are the conversations that test a parent.
func parents(t testing.TB) []Vector {
	var all []Vector
	for _, c := range []string{"json", "msgpack"} {
		all = append(all, goodParents(t, c)...)
		all = append(all, deaths(t, c)...)
		all = append(all, wrongChildren(t, c)...)
		all = append(all, spoiledForParent(t, c)...)
	}
	return all
}

func opened(t testing.TB, name, c, section, about string) *script {
	s := newScript(t, KindParent, c+"/"+name, c, section, about)
	s.acknowledge(nil)
	s.confirm(nil)
	return s
}

func goodParents(t testing.TB, c string) (all []Vector) {
	s := opened(t, "good", c, "2", "The shortest conversation.")
	s.request("ready", "run", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.do("shutdown")
	all = append(all, s.done("success"))
	s = opened(t, "good-all", c, "9", "Every request of the profile.")
	s.request("mount", "mounted", 0)
	s.request("mount", "mounted", 0)
	s.request("hooks", "hooksDone", 0)
	s.request("console", "consoleTaken", 1)
	s.request("ready", "run", 0)
	s.request("seccomp", "seccompDone", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.do("shutdown")
	all = append(all, s.done("success"))
	s = opened(t, "good-notes", c, "6", "NOTEs wherever they may come, as many as the limit allows.")
	note := encode(t, s.codec, syncproto.Note{Level: "info", Text: "a line"})
	s.send(syncproto.KindNote, 0, note)
	s.request("ready", "run", 0)
	for range 3 {
		s.send(syncproto.KindNote, 0, note)
	}
	s.send(syncproto.KindExec, 0, nil)
	s.do("shutdown")
	all = append(all, s.done("success"))
	s = newScript(t, KindParent, c+"/good-early-note", c, "7", "A NOTE as soon as HELLO_ACK has gone out.")
	s.acknowledge(nil)
	s.send(syncproto.KindNote, 0, note)
	s.confirm(nil)
	s.request("ready", "run", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.do("shutdown")
	all = append(all, s.done("success"))
	s = opened(t, "good-skippable", c, "4", "A frame of an unknown kind that may be skipped.")
	s.send(syncproto.Kind(99), 0, []byte("later"), func(f *frame) { f.h.Flags = syncproto.FlagSkippable })
	s.request("ready", "run", 0)
	s.send(syncproto.KindExec, 0, nil)
	s.do("shutdown")
	return append(all, s.done("success"))
}

// deaths are the ends of a child at each state.
func deaths(t testing.TB, c string) (all []Vector) {
	reach := map[string]func(s *script){
		"opened": func(s *script) { s.expect("HELLO") },
		"agreed": func(s *script) { s.acknowledge(nil); s.expect("CONFIG") },
		"setup":  func(s *script) { s.acknowledge(nil); s.confirm(nil) },
		"asked":  func(s *script) { s.acknowledge(nil); s.confirm(nil); s.request("ready", "", 0) },
		"run":    func(s *script) { s.acknowledge(nil); s.confirm(nil); s.request("ready", "run", 0) },
		"exec": func(s *script) {
			s.acknowledge(nil)
			s.confirm(nil)
			s.request("ready", "run", 0)
			s.send(syncproto.KindExec, 0, nil)
		},
	}
	for _, at := range []string{"opened", "agreed", "setup", "asked", "run", "exec"} {
		if at != "exec" {
			s := newScript(t, KindParent, c+"/dies-when-"+at, c, "2", "End of file without EXEC is the death of the child.")
			reach[at](s)
			s.do("shutdown")
			all = append(all, s.done("died"))
		}
		if at != "opened" || c == "json" {
			s := newScript(t, KindParent, c+"/fails-when-"+at, c, "2", "The child reports an error, whatever was expected.")
			reach[at](s)
			s.report("setup", 0)
			s.do("shutdown")
			all = append(all, s.done("peer-error setup"))
			s = newScript(t, KindParent, c+"/cut-when-"+at, c, "3", "The child is gone in the middle of a frame.")
			s.v.Socket = "stream"
			reach[at](s)
			s.send(syncproto.KindError, 0, []byte("{}"),
				func(f *frame) { f.spoil = func(b []byte) []byte { return b[:len(b)-1] } })
			s.do("shutdown")
			all = append(all, s.done("died"))
		}
	}
	return all
}

func wrongChildren(t testing.TB, c string) (all []Vector) {
	add := func(name, code, about string, f func(s *script)) {
		s := opened(t, "wrong-"+name, c, "9", about)
		f(s)
		s.do("shutdown")
		all = append(all, s.done("violated "+code))
	}
	ready := func(s *script) { s.request("ready", "run", 0) }
	exec := func(s *script) { s.send(syncproto.KindExec, 0, nil) }
	add("exec-too-early", "state", "EXEC in a phase that does not commit.", exec)
	add("exec-payload", "frame", "EXEC has a payload.", func(s *script) {
		ready(s)
		s.send(syncproto.KindExec, 0,
			[]byte("{}"))
	})
	add("after-exec", "state", "A NOTE after EXEC.", func(s *script) {
		ready(s)
		exec(s)
		s.send(syncproto.KindNote, 0, encode(t, s.codec, syncproto.Note{Level: "info"}))
	})
	add("unknown-request", "state", "A request that is in no table.", func(s *script) { s.request("money", "", 0) })
	add("request-by-case", "state", "Names are compared byte by byte.", func(s *script) { s.request("Ready", "", 0) })
	add("no-name", "state", "A request without a name.", func(s *script) { s.request("", "", 0) })
	add("hooks-twice", "state", "Hooks are requested at most once.", func(s *script) {
		s.request("hooks", "hooksDone",
			0)
		s.request("hooks", "", 0)
	})
	add("hooks-after-run", "state", "Hooks belong to the first phase.", func(s *script) {
		ready(s)
		s.request("hooks", "",
			0)
	})
	add("two-requests", "state", "A second request while the first is pending.", func(s *script) {
		b := encode(t, s.codec, syncproto.Call{Name: "hooks"})
		s.seq++
		one := append(syncproto.Header{Kind: syncproto.KindRequest, Seq: s.seq, Length: uint32(len(b))}.Append(nil), b...)
		s.raw(one, 0)
		s.send(syncproto.KindReply, 0, b)
	})
	add("reply", "state", "A REPLY where the child makes the requests.",
		func(s *script) { s.call(syncproto.KindReply, 3, "run") })
	add("console-without-descriptor", "descriptors", "A console is a descriptor.",
		func(s *script) { s.request("console", "", 0) })
	add("console-two-descriptors", "descriptors", "One descriptor, not two.",
		func(s *script) { s.request("console", "", 2) })
	add("ready-with-descriptor", "descriptors", "The table allows none.", func(s *script) { s.request("ready", "", 1) })
	add("too-many-notes", "limit", "One NOTE over the limit.", func(s *script) {
		for range 5 {
			s.send(syncproto.KindNote, 0, encode(t, s.codec, syncproto.Note{Level: "info", Text: "x"}))
		}
	})
	add("too-many-frames", "limit", "One frame over the limit.", func(s *script) {
		for s.seq < 32 {
			s.request("mount", "mounted", 0)
		}
		s.request("mount", "", 0)
	})
	add("config-ok-twice", "state", "CONFIG_OK comes once.", func(s *script) {
		s.send(syncproto.KindConfigOK, 2,
			[]byte("{}"))
	})
	add("error-answers-nothing", "frame", "An ERROR that refuses a request that was not made.",
		func(s *script) { s.report("setup", 2) })
	add("request-garbage", "decode", "A request that is no encoding.", func(s *script) {
		s.send(syncproto.KindRequest, 0,
			[]byte("\xc1"))
	})
	add("note-garbage", "decode", "A NOTE that is a list.", func(s *script) {
		s.send(syncproto.KindNote, 0,
			encode(t, s.codec, []string{"a"}))
	})
	add("request-extra-field", "decode", "Unknown fields are refused in REQUEST.", func(s *script) {
		s.send(syncproto.KindRequest, 0, encode(t, s.codec, struct {
			Name  string          `sync:"name"`
			Arg   syncproto.Value `sync:"arg"`
			Extra bool            `sync:"extra"`
		}{Name: "ready"}))
	})
	absent := func(name, about string, k syncproto.Kind, fields ...syncproto.Field) {
		b, err := newScript(t, KindParent, "", c, "", "").codec.Append(nil, syncproto.MapValue(fields...))
		if err != nil {
			t.Fatal(err)
		}
		add(name, "decode", about, func(s *script) { s.send(k, 0, b) })
	}
	text := func(name, s string) syncproto.Field {
		return syncproto.Field{Name: name, Value: syncproto.StringValue(s)}
	}
	absent("request-without-arg", "The argument of a REQUEST may be null, but not absent.", syncproto.KindRequest,
		text("name", "ready"))
	absent("note-without-text", "A NOTE has a text.", syncproto.KindNote, text("level", "info"))
	absent("note-without-level", "A NOTE has a level.", syncproto.KindNote, text("text", "a line"))
	absent("note-level", "A level that nobody knows.", syncproto.KindNote,
		text("level", "loud"), text("text", "a line"))
	for _, k := range []syncproto.Kind{syncproto.KindHello, syncproto.KindHelloAck, syncproto.KindConfig,
		syncproto.KindCancel} {
		add("turn-"+strings.ToLower(k.String()), "state", k.String()+" from a child that was configured.",
			func(s *script) { s.send(k, 0, []byte("{}")) })
	}
	ack := func(name, code, about string, edit func(a *syncproto.HelloAck)) {
		s := newScript(t, KindParent, c+"/wrong-ack-"+name, c, "6", about)
		s.acknowledge(edit)
		s.do("shutdown")
		all = append(all, s.done("violated "+code))
	}
	ack("codec", "version", "A codec that was not offered.", func(a *syncproto.HelloAck) { a.Codec = "no-such-codec" })
	ack("version", "version", "A version that was not offered.", func(a *syncproto.HelloAck) { a.Version = 2 })
	ack("limits", "version", "Limits above those of the greeting.", func(a *syncproto.HelloAck) { a.Limits.Notes = 200 })
	ok := func(name, about string, edit func(k *syncproto.ConfigOK)) {
		s := newScript(t, KindParent, c+"/wrong-config-ok-"+name, c, "6", about)
		s.acknowledge(nil)
		s.confirm(edit)
		s.do("shutdown")
		all = append(all, s.done("violated decode"))
	}
	ok("size", "Another size than was sent.", func(k *syncproto.ConfigOK) { k.Size++ })
	ok("digest", "Another digest.", func(k *syncproto.ConfigOK) { k.Digest = "0000000000000000" })
	return all
}

func spoiledForParent(t testing.TB, c string) (all []Vector) {
	for _, sl := range slips() {
		for _, at := range []string{"hello_ack", "config_ok", "request"} {
			if at == "hello_ack" && c != "json" || at == "hello_ack" && sl.name == "re" {
				continue
			}
			s := newScript(t, KindParent, c+"/"+strings.ReplaceAll(at, "_", "-")+"-"+sl.name, c, "4",
				strings.ToUpper(at)+": "+sl.about)
			s.v.Socket = sl.socket
			switch at {
			case "hello_ack":
				s.acknowledge(nil, sl.edit)
			case "config_ok":
				s.acknowledge(nil)
				s.confirm(nil, sl.edit)
			default:
				s.acknowledge(nil)
				s.confirm(nil)
				s.call(syncproto.KindRequest, 0, "ready", sl.edit)
			}
			s.do("shutdown")
			all = append(all, s.done("violated "+sl.code))
		}
	}
	return all
}
