package syncproto

import "unicode/utf8"

// Fit cuts the report until its encoding is at most most bytes, in JSON as in MessagePack, whatever it holds. The
// least limit for ERROR is 1 KiB; Fit can do it for 256 bytes or more.
//
// Long words are cut first, at a character and with the mark Truncated; then nodes from the end are left out, counted
// in Dropped, and with their words missing from a node that is marked; then what is left of the root's words, of its
// names, and of the report's own is cut. The root stays. A code, errno, sentinel or type is never cut, for it would be
// another one: a code that does not fit becomes CodeInternal, the others are left out.
func (r Report) Fit(most uint32) Report {
	const start, readable = 4096, 64
	r.Nodes = append([]ReportNode(nil), r.Nodes...)
	for words, names := start, start; ; {
		r.cut(words, names)
		switch {
		case r.size() <= uint64(most):
			return r
		case words > readable:
			words /= 2
			names = words
		case len(r.Nodes) > 1:
			r.dropLast()
		case words > 0:
			words /= 2
		case names > 0:
			names /= 2
		default:
			return r
		}
	}
}

// cut leaves no words longer than words bytes and no name longer than names.
func (r *Report) cut(words, names int) {
	short := false
	if len(r.Code) > names {
		r.Code, short = CodeInternal, true
		if len(r.Code) > names {
			r.Code = ""
		}
	}
	for _, s := range [...]*string{&r.Role, &r.State, &r.Phase, &r.Request} {
		short = cutWords(s, max(words, names)) || short
	}
	for i := range r.Nodes {
		r.Nodes[i].cut(words, names)
	}
	if short && len(r.Nodes) > 0 {
		r.Nodes[0].Truncated = true
	}
}

func (n *ReportNode) cut(words, names int) {
	for _, s := range [...]*string{&n.Text, &n.Stage, &n.Op, &n.Path} {
		n.Truncated = cutWords(s, words) || n.Truncated
	}
	for _, s := range [...]*string{&n.Errno, &n.Sentinel, &n.From} {
		if len(*s) > names {
			*s, n.Truncated = "", true
		}
	}
	if len(n.Type) > names {
		n.Type, n.Truncated = NodeText, true
		if len(n.Type) > names {
			n.Type = ""
		}
	}
}

func cutWords(s *string, most int) bool {
	if len(*s) <= most {
		return false
	}
	*s = cutText(*s, most)
	return true
}

// dropLast leaves the last node out. Its words are missing from those of its parent then, which is marked, unless a
// node above holds them all.
func (r *Report) dropLast() {
	last := len(r.Nodes) - 1
	parent := r.Nodes[last].Parent - 1
	r.Nodes = r.Nodes[:last]
	if r.Dropped < 1<<31-1 {
		r.Dropped++
	}
	if parent < 0 || parent >= last {
		parent = 0
	}
	for i := parent; !r.Nodes[i].Whole; {
		up := r.Nodes[i].Parent - 1
		if up < 0 || up >= i {
			r.Nodes[parent].Truncated = true
			return
		}
		i = up
	}
}

// size is an upper bound of the report's encoding in JSON. That in MessagePack is never longer: each name and each
// value takes at least as many bytes of JSON.
func (r *Report) size() uint64 {
	n := uint64(len(`{"nodes":[]}`))
	n += textField("code", string(r.Code), true) + textField("role", r.Role, true)
	n += textField("state", r.State, false) + textField("phase", r.Phase, false) + textField("request", r.Request, false)
	n += intField("pid", r.PID) + intField("dropped", r.Dropped) + boolField("redacted", r.Redacted)
	for i := range r.Nodes {
		n += r.Nodes[i].size()
	}
	return n
}

func (n *ReportNode) size() uint64 {
	return uint64(len(`{},`)) + intField("parent", n.Parent) + boolField("whole", n.Whole) +
		textField("type", n.Type, true) + textField("from", n.From, false) + textField("text", n.Text, false) +
		textField("stage", n.Stage, false) + textField("op", n.Op, false) + textField("path", n.Path, false) +
		textField("errno", n.Errno, false) + textField("sentinel", n.Sentinel, false) +
		boolField("truncated", n.Truncated)
}

// textField is the size of a field and its comma. Three bytes are counted for a byte that is not ASCII and six for a
// control character: so much takes an encoder that escapes them.
func textField(name, s string, always bool) uint64 {
	if s == "" && !always {
		return 0
	}
	n := uint64(len(name) + len(`"":"",`))
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			n += 2
		case c < ' ' || c == 0x7f:
			n += 6
		case c >= utf8.RuneSelf:
			n += 3
		default:
			n++
		}
	}
	return n
}

func intField(name string, v int) uint64 {
	if v == 0 {
		return 0
	}
	n := uint64(len(name)+len(`"":,`)) + 1
	if v < 0 {
		n++
	}
	for v /= 10; v != 0; v /= 10 {
		n++
	}
	return n
}

func boolField(name string, v bool) uint64 {
	if !v {
		return 0
	}
	return uint64(len(name) + len(`"":true,`))
}

// cutText is s, cut to at most n bytes at a rune.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
