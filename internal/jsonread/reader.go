// Package jsonread decodes JSON into structs by tables of their members: what encoding/json does, for documents that it
// takes, without the reflection that costs a short process more than all of its own work.
//
// A Reader accepts less than encoding/json: whatever is rare, ambiguous or wrong makes it give up, and the caller lets
// encoding/json decide, with its own results and errors. Among that are broken text, values of another type than the
// member's, a member that stands twice in one object, a name in other letters (encoding/json ignores case), and
// surrogates in escapes. Of what it accepts the result is that of encoding/json, which the tests hold against it.
package jsonread

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reader goes through one document.
type Reader struct {
	data []byte
	text string // of data: the strings of the result are parts of it
	at   int
	bad  bool // it has given up
}

// Field is one member of an object that becomes a T.
type Field[T any] struct {
	Name string
	Read func(*Reader, *T)
}

// maxDepth bounds the nesting of what is passed over. encoding/json takes 10000.
const maxDepth = 500

// Decode reads a document into v, which is zero before, by read. False means that encoding/json must decide; what v
// holds is of no use then. The result refers to data, which must not change afterwards.
func Decode[T any](data []byte, v *T, read func(*Reader, *T)) bool {
	if !utf8.Valid(data) {
		return false
	}
	r := Reader{data: data, text: string(data)}
	r.space()
	read(&r, v)
	r.space()
	return !r.bad && r.at == len(r.text)
}

// Object reads an object with these members, 64 at most; null leaves v as it is.
func Object[T any](r *Reader, v *T, fields []Field[T]) {
	if r.null() || !r.open('{') {
		return
	}
	o := members{n: len(fields)}
	for r.member(&o, func(i int) string { return fields[i].Name }) {
		fields[o.found].Read(r, v)
	}
}

// Pointer reads a value that may be null, which is nil.
func Pointer[T any](r *Reader, p **T, read func(*Reader, *T)) {
	if r.null() {
		return
	}
	*p = new(T)
	read(r, *p)
}

// List reads a list; null is nil, and an empty list is not.
func List[T any](r *Reader, list *[]T, read func(*Reader, *T)) {
	if r.null() || !r.open('[') {
		return
	}
	out := make([]T, 0, 4)
	for first := true; r.more(']', first); first = false {
		var one T
		read(r, &one)
		out = append(out, one)
	}
	*list = out
}

// Map reads an object with any names; null is nil, and an empty object is not. Of a name that stands twice the last
// value counts.
func Map[T any](r *Reader, m *map[string]T, read func(*Reader, *T)) {
	if r.null() || !r.open('{') {
		return
	}
	out := map[string]T{}
	for first := true; r.more('}', first); first = false {
		name := r.name()
		var one T
		read(r, &one)
		out[name] = one
	}
	*m = out
}

// Integer reads a whole number that fits; null leaves it as it is.
func Integer[N int | int64 | uint16 | uint32 | uint64](r *Reader, n *N) {
	if r.null() {
		return
	}
	word := r.number()
	var zero N
	if zero-1 < zero {
		v, err := strconv.ParseInt(word, 10, 64)
		*n = N(v)
		r.bad = r.bad || err != nil || int64(*n) != v
		return
	}
	v, err := strconv.ParseUint(word, 10, 64)
	*n = N(v)
	r.bad = r.bad || err != nil || uint64(*n) != v
}

// Bool reads true or false; null leaves it as it is.
func Bool(r *Reader, b *bool) {
	if r.null() {
		return
	}
	switch rest := r.text[r.at:]; {
	case strings.HasPrefix(rest, "true"):
		*b = true
		r.at += len("true")
	case strings.HasPrefix(rest, "false"):
		*b = false
		r.at += len("false")
	default:
		r.bad = true
	}
}

// String reads a string; null leaves it as it is.
func String(r *Reader, s *string) {
	if !r.null() {
		*s = r.string()
	}
}

// Strings reads a list of strings.
func Strings(r *Reader, list *[]string) { List(r, list, String) }

// Text reads a value by read, and gives its text without white space between tokens.
func Text(r *Reader, read func()) json.RawMessage {
	start := r.at
	read()
	if r.bad {
		return nil
	}
	out := make([]byte, 0, r.at-start)
	quoted, escaped := false, false
	for _, c := range r.data[start:r.at] {
		if !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			continue
		}
		if c == '"' && !escaped {
			quoted = !quoted
		}
		escaped = c == '\\' && !escaped
		out = append(out, c)
	}
	return out
}

// Raw takes any value as it stands.
func Raw(r *Reader, raw *json.RawMessage) {
	start := r.at
	if r.skip(0); r.bad {
		return
	}
	*raw = r.data[start:r.at:r.at]
}

// Any has encoding/json decode a value into v, a pointer, for types that are too rare to have a table.
func Any(r *Reader, v any) {
	var raw json.RawMessage
	if Raw(r, &raw); !r.bad {
		r.bad = json.Unmarshal(raw, v) != nil
	}
}
