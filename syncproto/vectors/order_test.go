package vectors

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// violation makes one check fail.
type violation struct {
	check string
	part  string // of the frame that it changes: two that change the same part cannot be in one frame
	edit  func(*frame)
}

// byteIs changes a byte of the header when the frame is complete.
func byteIs(i int, to byte) func(*frame) {
	return func(f *frame) {
		before := f.spoil
		f.spoil = func(b []byte) []byte {
			if before != nil {
				b = before(b)
			}
			b[i] = to
			return b
		}
	}
}

// body replaces the payload and its length in the header.
func body(b []byte) func(*frame) {
	return func(f *frame) {
		f.h.Length = f.h.Length - uint32(len(f.payload)) + uint32(len(b))
		f.payload = b
	}
}

// general are the violations possible in any frame. Their order does not matter; that of Checks counts. Flags are left
// out, because the checks before and after them have the same code.
func general(c codec.Codec, t testing.TB, otherKind syncproto.Kind, unlikely string) []violation {
	type noArg struct {
		Name string `sync:"name"`
	}
	return []violation{
		{"magic", "magic", byteIs(1, 'X')},
		{"version", "version", byteIs(2, 7)},
		{"kind", "kind", func(f *frame) { f.h.Kind = 99 }},
		{"reserved", "reserved", byteIs(11, 1)},
		{"seq", "seq", func(f *frame) { f.h.Seq += 5 }},
		{"length", "length", func(f *frame) { f.h.Length += 1 << 20 }},
		{"state", "kind", func(f *frame) { f.h.Kind = otherKind }},
		{"nfds", "nfds", func(f *frame) { f.h.NFDs, f.fds = f.h.NFDs+9, f.fds+9 }},
		{"size", "length", func(f *frame) { f.h.Length++ }},
		{"came", "came", func(f *frame) { f.fds++ }},
		{"codec", "payload", body([]byte("\xc1\xc1"))},
		{"fields", "payload", body(encode(t, c, noArg{unlikely}))},
		{"re", "re", func(f *frame) { f.h.Re = 77 }},
	}
}

// places returns the position of each check in the list, for a kind.
func places(kind string) map[string]int {
	at := map[string]int{}
	for i, c := range Checks() {
		if c.Kind == "" || c.Kind == kind {
			at[c.Name] = i
		}
	}
	return at
}

// pair returns the name of a vector with two violations, its code according to the list, and a sentence.
func pair(t testing.TB, kind, first, second string) (name, code, about string) {
	at := places(kind)
	one, ok1 := at[first]
	two, ok2 := at[second]
	if !ok1 || !ok2 || one >= two {
		t.Fatalf("%s: the list does not have %q before %q", kind, first, second)
	}
	name = strings.ToLower(strings.ReplaceAll(kind, "_", "-")) + "-" + first + "-before-" + second
	return name, Checks()[one].Code, kind + " breaks two rules: " + first + " is judged before " + second + "."
}

// pairs returns the frames with two violations of different codes; the first in the list decides the code.
func pairs(t testing.TB, kind string, list []violation, play func(first, second violation)) {
	at, all := places(kind), Checks()
	for i, a := range list {
		for _, b := range list[i+1:] {
			first, second := a, b
			if at[b.check] < at[a.check] {
				first, second = b, a
			}
			if a.part != b.part && all[at[first.check]].Code != all[at[second.check]].Code {
				play(first, second)
			}
		}
	}
}

// socketOf returns a type of socket on which both violations are possible. The order is the same on both types, so each
// of the many pairs is played on only one.
func socketOf(first, second violation) string {
	if first.check == "size" || second.check == "size" || len(first.check+second.check)%2 == 0 {
		return "seqpacket"
	}
	return "stream"
}

// orderForChild are frames of a parent with two violations each.
func orderForChild(t testing.TB) (all []Vector) {
	c := codec.JSON()
	add := func(kind, first, second, socket string, f func(s *script)) {
		name, code, about := pair(t, kind, first, second)
		s := newScript(t, KindChild, "order/"+name, "json", "7", about)
		s.v.Socket = socket
		f(s)
		s.expect("ERROR", "code="+code, "re=0")
		all = append(all, s.done("refuse "+code))
	}
	other := violation{"name", "payload", body(encode(t, c, syncproto.Call{Name: "go"}))}
	reply := append(general(c, t, syncproto.KindHello, "go"), other)
	pairs(t, "REPLY", reply, func(first, second violation) {
		add("REPLY", first.check, second.check, socketOf(first, second), func(s *script) {
			s.ready("/bin/true")
			s.call(syncproto.KindReply, lastRequest, "run", first.edit, second.edit)
		})
	})
	hello := func(edit func(h *syncproto.Hello)) violation {
		h := greeting("json")
		edit(&h)
		return violation{part: "payload", edit: body(encode(t, c, h))}
	}
	text := string(encode(t, c, greeting("json")))
	for _, e := range []struct {
		first, second string
		v             violation
		re            uint16
	}{
		{"codec", "re", violation{edit: body([]byte(text[1:]))}, 3},
		{"re", "fields", violation{edit: body([]byte(strings.Replace(text, `"min":1,`, "", 1)))}, 3},
		{"re", "versions", hello(func(h *syncproto.Hello) { h.MinVersion, h.MaxVersion = 5, 6 }), 3},
		{"versions", "profile", hello(func(h *syncproto.Hello) { h.MinVersion, h.MaxVersion, h.Hash = 5, 6, "0" }), 0},
		{"profile", "codecs", hello(func(h *syncproto.Hello) { h.Profile, h.Codecs = "other", []string{"none"} }), 0},
		{"codecs", "limits", hello(func(h *syncproto.Hello) { h.Codecs, h.Limits.Control = []string{"none"}, 10 }), 0},
	} {
		add("HELLO", e.first, e.second, "both", func(s *script) {
			s.hello(greeting("json"), e.v.edit, func(f *frame) { f.h.Re = e.re })
		})
	}
	add("CONFIG", "config", "re", "both", func(s *script) {
		h := greeting("json")
		h.Limits.Config, h.Limits.Fragment = 1024, 1024
		s.hello(h)
		s.expect("HELLO_ACK", "re=1")
		s.send(syncproto.KindConfig, 0, make([]byte, 1024), setMore)
		s.send(syncproto.KindConfig, 7, make([]byte, 1))
	})
	full := func(s *script) {
		h := greeting("json")
		h.Limits.Frames = 16
		s.hello(h)
		s.expect("HELLO_ACK", "re=1")
		for s.seq < 16 {
			s.send(200, 0, nil, func(f *frame) { f.h.Flags = syncproto.FlagSkippable })
		}
	}
	add("CONFIG", "seq", "frames", "both", func(s *script) {
		full(s)
		s.send(syncproto.KindConfig, 0, []byte("{}"), func(f *frame) { f.h.Seq++ })
	})
	add("REPLY", "frames", "state", "both", func(s *script) {
		full(s)
		s.send(syncproto.KindReply, 0, []byte("{}"))
	})
	return all
}

// orderForParent are frames of a child with two violations each.
func orderForParent(t testing.TB) (all []Vector) {
	c := codec.JSON()
	add := func(kind, first, second, socket string, f func(s *script)) {
		name, code, about := pair(t, kind, first, second)
		s := newScript(t, KindParent, "order/"+name, "json", "7", about)
		s.v.Socket = socket
		f(s)
		s.do("shutdown")
		all = append(all, s.done("violated "+code))
	}
	unknown := violation{"row", "payload", body(encode(t, c, syncproto.Call{Name: "money"}))}
	console := violation{"fds", "payload", body(encode(t, c, syncproto.Call{Name: "console"}))}
	request := append(general(c, t, syncproto.KindHelloAck, "money"), unknown, console)
	pairs(t, "REQUEST", request, func(first, second violation) {
		if first.check == "nfds" && second.check == "fds" || first.check == "fds" && second.check == "came" {
			return // one of them is mended by the other
		}
		add("REQUEST", first.check, second.check, socketOf(first, second), func(s *script) {
			s.acknowledge(nil)
			s.confirm(nil)
			s.call(syncproto.KindRequest, 0, "ready", first.edit, second.edit)
		})
	})
	add("REQUEST", "max", "fds", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil)
		s.request("hooks", "hooksDone", 0)
		s.request("hooks", "", 1)
	})
	add("HELLO_ACK", "re", "choice", "both", func(s *script) {
		s.acknowledge(func(a *syncproto.HelloAck) { a.Version = 2 }, func(f *frame) { f.h.Re = 2 })
	})
	add("CONFIG_OK", "re", "same", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(func(ok *syncproto.ConfigOK) { ok.Size++ }, func(f *frame) { f.h.Re = 1 })
	})
	add("CONFIG_OK", "re", "fields", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil, body([]byte("{}")), func(f *frame) { f.h.Re = 1 })
	})
	note := syncproto.Note{Level: "info", Text: "x"}
	add("NOTE", "notes", "re", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil)
		for range 4 {
			s.send(syncproto.KindNote, 0, encode(t, c, note))
		}
		s.send(syncproto.KindNote, 1, encode(t, c, note))
	})
	add("NOTE", "re", "fields", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil)
		s.send(syncproto.KindNote, 1, []byte(`{"level":"info"}`))
	})
	add("EXEC", "empty", "commits", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil)
		s.send(syncproto.KindExec, 0, []byte("{}"))
	})
	add("EXEC", "commits", "re", "both", func(s *script) {
		s.acknowledge(nil)
		s.confirm(nil)
		s.send(syncproto.KindExec, 2, nil)
	})
	return all
}
