package syncproto

import "unicode/utf8"

// Fit shortens the report until its encoding has at most most bytes, in JSON as well as in MessagePack, whatever it
// holds. The lowest limit for ERROR is 1 KiB; Fit works for 256 bytes or more.
//
// It first cuts long texts, at a character boundary, and marks them as Truncated. Then it drops nodes from the end,
// counts them in Dropped, and marks the nodes whose text is incomplete as a result. Finally it cuts what is left: the
// root's text, its names, and the report's own fields. The root stays. A code, errno, sentinel or type is never cut,
// because that would make it a different one: a code that does not fit becomes CodeInternal, the others are removed.
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

// cut shortens every text to at most words bytes and every name to at most names.
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

// dropLast removes the last node. Its parent's text is then incomplete, so the parent is marked, unless a node above it
// holds the whole text.
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

// size is an upper bound of the size of the report's encoding in JSON. The encoding in MessagePack is never longer,
// since each name and each value takes at least as many bytes in JSON.
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

// textField is the size of a field with its comma. It counts three bytes for a byte that is not ASCII and six for a
// control character: an encoder that escapes them needs that many.
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

// cutText cuts s to at most n bytes, at the start of a rune.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
