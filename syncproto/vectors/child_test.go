package vectors

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// children are the conversations that test a child.
func children(t testing.TB) []Vector {
	var all []Vector
	for _, c := range []string{"json", "msgpack"} {
		all = append(all, goodChildren(t, c)...)
		all = append(all, endings(t, c)...)
		all = append(all, wrongReplies(t, c)...)
		all = append(all, wrongConfigs(t, c)...)
		all = append(all, badHeadersForChild(t, c)...)
	}
	all = append(all, wrongGreetings(t)...)
	all = append(all, illegalFrames(t)...)
	return append(all, piecemeal(t)...)
}

func goodChildren(t testing.TB, c string) (all []Vector) {
	for _, size := range []int{0, 100, 32} {
		name := map[int]string{0: "whole", 100: "fragments", 32: "many-fragments"}[size]
		s := newScript(t, KindChild, c+"/good-config-"+name, c, "2", "A conversation to its end, CONFIG "+
			strings.ReplaceAll(name, "-", " ")+".")
		s.greet()
		s.configure("/bin/true", size)
		s.expect("REQUEST", "name=ready", "fds=0")
		s.call(syncproto.KindReply, lastRequest, "run")
		s.expect("EXEC", "re=0")
		all = append(all, s.done("accept"))
	}
	s := newScript(t, KindChild, c+"/good-last-fragment-empty", c, "6", "The last fragment may be empty.")
	s.greet()
	s.send(syncproto.KindConfig, 0, encode(t, s.codec, harmless("/bin/true")), setMore)
	s.send(syncproto.KindConfig, 0, nil)
	s.expect("CONFIG_OK", "re=3")
	s.expect("REQUEST", "name=ready")
	s.call(syncproto.KindReply, lastRequest, "run")
	s.expect("EXEC")
	all = append(all, s.done("accept"))

	s = newScript(t, KindChild, c+"/good-config-at-once", c, "5.3", "CONFIG follows HELLO without waiting.")
	s.hello(greeting(c))
	s.send(syncproto.KindConfig, 0, encode(t, s.codec, harmless("/bin/true")))
	s.expect("HELLO_ACK", "re=1")
	s.expect("CONFIG_OK", "re=2")
	s.expect("REQUEST", "name=ready")
	s.call(syncproto.KindReply, lastRequest, "run")
	s.expect("EXEC")
	all = append(all, s.done("accept"))

	s = newScript(t, KindChild, c+"/good-skippable", c, "4", "Frames of unknown kinds that may be skipped are dropped, "+
		"and their descriptors closed.")
	skip := func(f *frame) { f.h.Flags |= syncproto.FlagSkippable }
	s.hello(greeting(c))
	s.expect("HELLO_ACK", "re=1")
	s.send(syncproto.Kind(200), 0, []byte("what is this"), skip)
	s.configure("/bin/true", 0)
	s.expect("REQUEST", "name=ready")
	s.send(syncproto.Kind(201), 0, nil, skip)
	s.call(syncproto.KindReply, lastRequest, "run")
	s.expect("EXEC")
	all = append(all, s.done("accept"))

	s = newScript(t, KindChild, c+"/exec-fails", c, "6", "The program does not exist: ERROR follows EXEC.")
	s.ready("/no/such/program")
	s.call(syncproto.KindReply, lastRequest, "run")
	s.expect("EXEC")
	s.expect("ERROR", "code=exec", "re=0")
	return append(all, s.done("refuse exec"))
}

// endings are the ways in which a parent ends a conversation.
func endings(t testing.TB, c string) (all []Vector) {
	abort := encode(t, codec.JSON(), syncproto.Report{Code: "internal", Role: "parent",
		Nodes: []syncproto.ReportNode{{Type: "text", Text: "the parent gives up"}}})
	cancel := encode(t, codec.JSON(), syncproto.Cancel{Reason: "enough"})
	for _, at := range []string{"greeting", "configuration", "ready"} {
		reach := func(name, about string) *script {
			s := newScript(t, KindChild, c+"/"+name+"-at-"+at, c, "7", about+" It is at its "+at+".")
			switch at {
			case "greeting":
				s.greet()
			case "configuration":
				s.greet()
				s.send(syncproto.KindConfig, 0, encode(t, s.codec, harmless("/bin/true"))[:9], setMore)
			default:
				s.ready("/bin/true")
			}
			return s
		}
		s := reach("cancel", "The parent tells the child to stop.")
		s.send(syncproto.KindCancel, 0, cancel)
		s.expect("ERROR", "code=cancelled", "re=0")
		all = append(all, s.done("refuse cancelled"))
		s = reach("error", "The parent reports an error that ends the conversation.")
		s.send(syncproto.KindError, 0, abort)
		all = append(all, s.done("refuse"))
		s = reach("end-of-file", "The parent is gone.")
		s.do("shutdown")
		all = append(all, s.done("refuse"))
		s = reach("cut-frame", "The parent is gone in the middle of a frame.")
		s.v.Socket = "stream"
		s.send(syncproto.KindCancel, 0, cancel, func(f *frame) { f.spoil = func(b []byte) []byte { return b[:len(b)-1] } })
		s.do("shutdown")
		all = append(all, s.done("refuse"))
		s = reach("cut-header", "The parent is gone in the middle of a header.")
		s.v.Socket = "stream"
		s.send(syncproto.KindCancel, 0, cancel, func(f *frame) { f.spoil = func(b []byte) []byte { return b[:7] } })
		s.do("shutdown")
		all = append(all, s.done("refuse"))
	}
	s := newScript(t, KindChild, c+"/refused", c, "6", "The parent refuses the child's request.")
	s.ready("/bin/true")
	s.send(syncproto.KindError, lastRequest, abort)
	return append(all, s.done("refuse"))
}

func wrongReplies(t testing.TB, c string) (all []Vector) {
	add := func(name, code, about string, reply func(s *script)) {
		s := newScript(t, KindChild, c+"/answer-"+name, c, "6", about)
		s.ready("/bin/true")
		reply(s)
		s.expect("ERROR", "code="+code, "re=0")
		all = append(all, s.done("refuse "+code))
	}
	type odd struct {
		Name  string          `sync:"name"`
		Arg   syncproto.Value `sync:"arg"`
		Extra bool            `sync:"extra"`
	}
	add("other-name", "state", "The reply is another request's.", func(s *script) {
		s.call(syncproto.KindReply,
			lastRequest, "hooksDone")
	})
	add("unknown-name", "state", "The reply has a name that is in no table.",
		func(s *script) { s.call(syncproto.KindReply, lastRequest, "go") })
	add("request-name", "state", "The reply repeats the request's name.",
		func(s *script) { s.call(syncproto.KindReply, lastRequest, "ready") })
	add("other-case", "state", "Names are compared byte by byte.", func(s *script) {
		s.call(syncproto.KindReply,
			lastRequest, "Run")
	})
	add("no-name", "state", "The name is empty.", func(s *script) { s.call(syncproto.KindReply, lastRequest, "") })
	add("empty", "decode", "The reply has no payload.", func(s *script) { s.send(syncproto.KindReply, lastRequest, nil) })
	add("extra-field", "decode", "Unknown fields are refused in REPLY.", func(s *script) {
		s.send(syncproto.KindReply, lastRequest, encode(t, s.codec, odd{Name: "run"}))
	})
	add("number", "decode", "The name is a number.", func(s *script) {
		s.send(syncproto.KindReply, lastRequest, encode(t, s.codec, map2{2, syncproto.Value{}}))
	})
	add("re-zero", "frame", "The reply refers to no frame.", func(s *script) { s.call(syncproto.KindReply, 0, "run") })
	add("re-other", "frame", "The reply refers to another frame.", func(s *script) {
		s.call(syncproto.KindReply, 1,
			"run")
	})
	add("with-descriptor", "descriptors", "The table allows no descriptor.", func(s *script) {
		s.call(syncproto.KindReply, lastRequest, "run", func(f *frame) { f.h.NFDs, f.fds = 1, 1 })
	})
	add("error-for-another", "frame", "An ERROR that refuses a request that was not made.", func(s *script) {
		s.send(syncproto.KindError, 1, encode(t, codec.JSON(), syncproto.Report{Code: "internal", Role: "parent",
			Nodes: []syncproto.ReportNode{{Type: "text"}}}))
	})
	return all
}

// map2 is a Call whose name has another type.
type map2 struct {
	Name int             `sync:"name"`
	Arg  syncproto.Value `sync:"arg"`
}

func wrongConfigs(t testing.TB, c string) (all []Vector) {
	add := func(name, code, about string, config func(s *script)) {
		s := newScript(t, KindChild, c+"/config-"+name, c, "6", about)
		s.greet()
		config(s)
		s.expect("ERROR", "code="+code, "re=0")
		all = append(all, s.done("refuse "+code))
	}
	whole := func(s *script) []byte { return encode(t, s.codec, harmless("/bin/true")) }
	add("garbage", "decode", "The configuration is not an encoding.", func(s *script) {
		s.send(syncproto.KindConfig, 0,
			[]byte("\xc1\xc1"))
	})
	add("empty", "decode", "The configuration has no bytes.", func(s *script) { s.send(syncproto.KindConfig, 0, nil) })
	add("cut", "decode", "The configuration ends too early, and no fragment is missing.",
		func(s *script) { b := whole(s); s.send(syncproto.KindConfig, 0, b[:len(b)-1]) })
	add("trailing", "decode", "Something follows the configuration.", func(s *script) {
		s.send(syncproto.KindConfig, 0,
			append(whole(s), '0'))
	})
	add("empty-fragment", "frame", "A fragment that is not the last is empty.",
		func(s *script) { s.send(syncproto.KindConfig, 0, nil, setMore) })
	add("descriptor-later", "descriptors", "Descriptors ride with the first fragment only.", func(s *script) {
		s.send(syncproto.KindConfig, 0, whole(s)[:5], setMore)
		s.send(syncproto.KindConfig, 0, whole(s)[5:], func(f *frame) { f.h.NFDs, f.fds = 1, 1 })
	})
	add("too-many-descriptors", "descriptors", "The table allows 32 descriptors.", func(s *script) {
		s.send(syncproto.KindConfig, 0, whole(s), func(f *frame) { f.h.NFDs, f.fds = 33, 33 })
	})
	s := newScript(t, KindChild, c+"/whole-over-limit", c, "13", "The parent's own limit for the configuration holds "+
		"for both.")
	h := greeting(c)
	h.Limits.Config, h.Limits.Fragment = 2048, 1024
	s.hello(h)
	s.expect("HELLO_ACK", "re=1")
	for range 3 {
		s.send(syncproto.KindConfig, 0, make([]byte, 1024), setMore)
	}
	s.expect("ERROR", "code=limit", "re=0")
	all = append(all, s.done("refuse limit"))
	s = newScript(t, KindChild, c+"/fragment-over-limit", c, "13", "The parent's own limit for a fragment holds for both.")
	s.hello(h)
	s.expect("HELLO_ACK", "re=1")
	s.send(syncproto.KindConfig, 0, make([]byte, 1025), setMore)
	s.expect("ERROR", "code=limit", "re=0")
	return append(all, s.done("refuse limit"))
}

// badHeadersForChild are frames with an error in the header, at each point where a child waits.
func badHeadersForChild(t testing.TB, c string) (all []Vector) {
	for _, sl := range slips() {
		for _, at := range []string{"hello", "config", "reply"} {
			if at == "hello" && c != "json" {
				continue // no codec is agreed yet
			}
			s := newScript(t, KindChild, c+"/"+at+"-"+sl.name, c, "4", strings.ToUpper(at)+": "+sl.about)
			s.v.Socket = sl.socket
			switch at {
			case "hello":
				s.hello(greeting(c), sl.edit)
			case "config":
				s.greet()
				s.send(syncproto.KindConfig, 0, encode(t, s.codec, harmless("/bin/true")), sl.edit)
			case "reply":
				s.ready("/bin/true")
				s.call(syncproto.KindReply, lastRequest, "run", sl.edit)
			}
			code := sl.code
			if at == "config" && sl.name == "fds-missing" || at == "hello" && strings.HasPrefix(sl.name, "fds") {
				code = "descriptors"
			}
			s.expect("ERROR", "code="+code, "re=0")
			all = append(all, s.done("refuse "+code))
		}
	}
	return all
}

func wrongGreetings(t testing.TB) (all []Vector) {
	add := func(name, code, about string, edit func(h *syncproto.Hello)) {
		s := newScript(t, KindChild, "greeting/"+name, "json", "6", about)
		h := greeting("json")
		edit(&h)
		s.hello(h)
		s.expect("ERROR", "code="+code, "re=0")
		all = append(all, s.done("refuse "+code))
	}
	add("version-to-come", "version", "The parent speaks later versions only.",
		func(h *syncproto.Hello) { h.MinVersion, h.MaxVersion = 2, 3 })
	add("version-zero", "version", "The parent speaks none.", func(h *syncproto.Hello) {
		h.MinVersion, h.MaxVersion = 0,
			0
	})
	add("no-codec", "version", "The parent offers no codec.", func(h *syncproto.Hello) { h.Codecs = []string{} })
	add("unknown-codec", "version", "The parent offers a codec that nobody has.",
		func(h *syncproto.Hello) { h.Codecs = []string{"no-such-codec"} })
	add("other-profile", "profile", "Another profile.", func(h *syncproto.Hello) { h.Profile = "other" })
	add("other-hash", "profile", "The same profile with another table.",
		func(h *syncproto.Hello) { h.Hash = "0123456789abcdef" })
	add("tiny-limits", "limit", "Limits under which no conversation can take place.",
		func(h *syncproto.Hello) { h.Limits.Control = 10 })
	goodText := func(name, section, about string, hello []byte) {
		s := newScript(t, KindChild, "greeting/"+name, "json", section, about)
		s.send(syncproto.KindHello, 0, hello)
		s.expect("HELLO_ACK", "re=1")
		s.configure("/bin/true", 0)
		s.expect("REQUEST", "name=ready")
		s.call(syncproto.KindReply, lastRequest, "run")
		s.expect("EXEC")
		all = append(all, s.done("accept"))
	}
	good := func(name, about string, edit func(h *syncproto.Hello)) {
		h := greeting("json")
		edit(&h)
		goodText(name, "6", about, encode(t, codec.JSON(), h))
	}
	good("versions-to-come-too", "The parent speaks later versions as well.",
		func(h *syncproto.Hello) { h.MaxVersion = 9 })
	good("unknown-codec-first", "A codec that nobody has is passed over.",
		func(h *syncproto.Hello) { h.Codecs = []string{"no-such-codec", "json"} })
	good("session", "An identifier for logs.", func(h *syncproto.Hello) { h.Session = "c0ffee" })
	good("lower-limits", "Lower limits of the parent hold for both.", func(h *syncproto.Hello) {
		h.Limits.Config,
			h.Limits.Notes = 4096, 8
	})
	raw := func(name, code, about, payload string) {
		s := newScript(t, KindChild, "greeting/"+name, "json", "6", about)
		s.send(syncproto.KindHello, 0, []byte(payload))
		s.expect("ERROR", "code="+code, "re=0")
		all = append(all, s.done("refuse "+code))
	}
	text := string(encode(t, codec.JSON(), greeting("json")))
	raw("not-json", "decode", "HELLO is always JSON.", string(encode(t, codec.MessagePack(), greeting("json"))))
	raw("duplicate-field", "decode", "A name stands twice.", strings.Replace(text, `{"min":1`, `{"min":1,"min":1`, 1))
	raw("cut", "decode", "The text ends too early.", text[:len(text)-1])
	raw("list", "decode", "HELLO is a map.", "[]")
	raw("no-min", "decode", "A required field is not there.", strings.Replace(text, `"min":1,`, "", 1))
	raw("null-hash", "decode", "A required text is null.",
		strings.Replace(text, `"hash":"`+greeting().Hash+`"`, `"hash":null`, 1))
	limits := regexp.MustCompile(`"limits":{[^}]*}`)
	raw("no-limits", "decode", "A required map is not there.",
		limits.ReplaceAllString(text, "")[:strings.Index(text, `"limits"`)-1]+"}")
	goodText("empty-limits", "13", "Limits that are absent take their defaults.",
		limits.ReplaceAll([]byte(text), []byte(`"limits":{}`)))
	goodText("default-limits", "6", "Limits that are zero take their defaults.", limits.ReplaceAll([]byte(text), []byte(
		`"limits":{"control":0,"error":0,"fragment":0,"message":0,"config":0,"notes":0,"frames":0,"depth":0}`)))
	goodText("unknown-field", "5", "Unknown fields are ignored in HELLO.",
		[]byte(strings.Replace(text, `{"min":1`, `{"invented":[1,{"a":null}],"min":1`, 1)))
	return all
}

// illegalFrames are frames that are not legal now, one for each state and kind.
func illegalFrames(t testing.TB) (all []Vector) {
	may := map[string][]syncproto.Kind{
		"opened": {syncproto.KindHello},
		"agreed": {syncproto.KindConfig, syncproto.KindError, syncproto.KindCancel},
		"ready":  {syncproto.KindReply, syncproto.KindError, syncproto.KindCancel},
	}
	for _, state := range []string{"opened", "agreed", "ready"} {
	kinds:
		for k := syncproto.KindHello; k <= syncproto.KindCancel; k++ {
			for _, legal := range may[state] {
				if k == legal {
					continue kinds
				}
			}
			s := newScript(t, KindChild, "turn/"+strings.ToLower(k.String())+"-when-"+state, "json", "7",
				k.String()+" from a parent where the child is at "+strconv.Quote(state)+".")
			switch state {
			case "agreed":
				s.greet()
			case "ready":
				s.ready("/bin/true")
			}
			body := []byte("{}")
			if k == syncproto.KindRequest {
				body = encode(t, s.codec, syncproto.Call{Name: "ready"})
			}
			s.send(k, 0, body)
			s.expect("ERROR", "code=state", "re=0")
			all = append(all, s.done("refuse state"))
		}
	}
	return all
}

// piecemeal are streams whose writes are not frames.
func piecemeal(t testing.TB) (all []Vector) {
	make := func(name, about string, cut func(b []byte) [][]byte) {
		s := newScript(t, KindChild, "stream/"+name, "json", "3", about)
		s.v.Socket = "stream"
		one := newScript(t, KindChild, "", "json", "", "")
		one.hello(greeting("json"))
		one.send(syncproto.KindConfig, 0, encode(t, s.codec, harmless("/bin/true")))
		for _, piece := range cut(one.v.Data) {
			s.raw(piece, 0)
		}
		s.expect("HELLO_ACK", "re=1")
		s.expect("CONFIG_OK", "re=2")
		s.seq = one.seq
		s.expect("REQUEST", "name=ready")
		s.call(syncproto.KindReply, lastRequest, "run")
		s.expect("EXEC")
		all = append(all, s.done("accept"))
	}
	make("two-in-one", "Two frames in one write.", func(b []byte) [][]byte { return [][]byte{b} })
	make("in-two", "A frame in two writes, cut in its header.", func(b []byte) [][]byte { return [][]byte{b[:3], b[3:]} })
	make("by-seven", "Seven bytes at a time.", func(b []byte) (list [][]byte) {
		for len(b) > 7 {
			list, b = append(list, b[:7]), b[7:]
		}
		return append(list, b)
	})
	return all
}
