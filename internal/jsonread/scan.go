package jsonread

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// space skips white space.
func (r *Reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// peek returns the next byte. It returns zero at the end, and after the Reader has given up.
func (r *Reader) peek() byte {
	if r.bad || r.at >= len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// null skips a null and reports whether it did. It also returns true if there is nothing to read.
func (r *Reader) null() bool {
	if r.peek() == 'n' && strings.HasPrefix(r.text[r.at:], "null") {
		r.at += len("null")
		return true
	}
	return r.bad
}

// open skips the beginning of an object or a list.
func (r *Reader) open(c byte) bool {
	if r.peek() != c {
		r.bad = true
		return false
	}
	r.at++
	r.space()
	return true
}

// nextMember skips the separator before the next member, or the end of the object or list. It reports whether there is
// a next member.
func (r *Reader) nextMember(end byte, first bool) bool {
	if !first {
		r.space()
	}
	switch c := r.peek(); {
	case c == end:
		r.at++
		return false
	case first && c != 0:
		return true
	case !first && c == ',':
		r.at++
		r.space()
		return true
	}
	r.bad = true
	return false
}

// name reads a member's name and the colon after it.
func (r *Reader) name() string {
	name := r.string()
	r.space()
	if r.peek() != ':' {
		r.bad = true
		return name
	}
	r.at++
	r.space()
	return name
}

// members is the position of a Reader among the members of an object.
type members struct {
	n     int    // the number of Fields
	found int    // the Field of the member whose value is next
	seen  uint64 // a bit for each Field
	began bool
}

// member moves to the value of the next member that has a Field, and skips those without one. The function name
// returns the names of the Fields.
func (r *Reader) member(o *members, name func(i int) string) bool {
	for r.nextMember('}', !o.began) {
		next := 0
		if o.began {
			next = o.found + 1
		}
		o.began = true
		text, i := r.name(), -1
		// Most documents are written by programs that write the members in the same order.
		for k := range o.n {
			if n := (next + k) % o.n; name(n) == text {
				i = n
				break
			}
		}
		switch {
		case i >= 0 && o.seen&(1<<i) == 0:
			o.seen |= 1 << i
			o.found = i
			return !r.bad
		case i >= 0 || folds(text, o.n, name):
			r.bad = true
		default:
			r.skip(0)
		}
	}
	return false
}

// folds reports whether a text is the name of a Field in a different case.
func folds(text string, n int, name func(i int) string) bool {
	for i := range n {
		if strings.EqualFold(text, name(i)) {
			return true
		}
	}
	return false
}

// string reads a string.
func (r *Reader) string() string {
	if r.peek() != '"' {
		r.bad = true
		return ""
	}
	r.at++
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1]
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			r.bad = true
			return ""
		}
	}
	r.bad = true
	return ""
}

// escaped reads the rest of a string that began at start, beginning with its first escape.
func (r *Reader) escaped(start int) string {
	out := append([]byte(nil), r.text[start:r.at]...)
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out)
		case c == '\\':
			out = r.escape(out)
		case c < ' ':
			r.bad = true
		default:
			out = append(out, c)
		}
		if r.bad {
			return ""
		}
	}
	r.bad = true
	return ""
}

// escape reads the part of an escape after the backslash.
func (r *Reader) escape(out []byte) []byte {
	c := r.peek()
	if c == 0 { // the document ends here, and r.at must not move past its end
		r.bad = true
		return out
	}
	r.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c)
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'u':
		if r.at+4 <= len(r.text) && hex4(r.text[r.at:]) {
			n, _ := strconv.ParseUint(r.text[r.at:r.at+4], 16, 32)
			if char := rune(n); char < 0xd800 || char > 0xdfff {
				r.at += 4
				return utf8.AppendRune(out, char)
			}
		}
	}
	r.bad = true
	return out
}

// hex4 reports whether a text begins with four hexadecimal digits.
func hex4(s string) bool {
	for i := range 4 {
		c := s[i] | 0x20
		if (c < '0' || c > '9' || s[i] < '0') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// number skips a number and returns its text.
func (r *Reader) number() string {
	if r.bad {
		return ""
	}
	start := r.at
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else {
		r.digits()
	}
	if r.peek() == '.' {
		r.at++
		r.digits()
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		r.digits()
	}
	return r.text[start:r.at]
}

// digits skips one or more digits.
func (r *Reader) digits() {
	start := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	if r.at == start {
		r.bad = true
	}
}

// skip skips any value.
func (r *Reader) skip(depth int) {
	if r.bad || depth > maxDepth {
		r.bad = true
		return
	}
	switch c := r.peek(); c {
	case '{':
		r.open('{')
		for first := true; r.nextMember('}', first); first = false {
			r.name()
			r.skip(depth + 1)
		}
	case '[':
		r.open('[')
		for first := true; r.nextMember(']', first); first = false {
			r.skip(depth + 1)
		}
	case '"':
		r.skipString()
	case 't', 'f':
		var b bool
		Bool(r, &b)
	case 'n':
		r.bad = !r.null()
	default:
		r.number()
	}
}

// skipString skips a string without decoding it.
func (r *Reader) skipString() {
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return
		case c == '\\':
			r.at++
			switch r.peek() {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if r.at+5 > len(r.text) || !hex4(r.text[r.at+1:]) {
					r.bad = true
					return
				}
				r.at += 4
			default:
				r.bad = true
				return
			}
		case c < ' ':
			r.bad = true
			return
		}
	}
	r.bad = true
}
