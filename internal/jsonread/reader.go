// Package jsonread decodes JSON into structs with tables of their members. For the documents that it accepts, it
// does what encoding/json does, but without reflection, which costs a short-lived process more than all of its own
// work.
//
// A Reader accepts less than encoding/json. It gives up on anything that is rare, ambiguous or wrong, and the
// caller then uses encoding/json, with its results and errors. Examples are malformed text, values of a different
// type than the member, a member that occurs twice in one object, a name in a different case (encoding/json
// ignores case), and escaped surrogates. If a Reader accepts a document, the result is the same as that of
// encoding/json; the tests compare the two.
package jsonread

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reader reads one document.
type Reader struct {
	data []byte
	text string // the same bytes as data; the strings of the result are parts of it
	at   int
	bad  bool // the Reader has given up
}

// Field is one member of the object for a T.
type Field[T any] struct {
	Name string
	Read func(*Reader, *T)
}

// maxDepth limits the nesting of skipped values. encoding/json allows 10000.
const maxDepth = 500

// Decode reads a document into v with the function read. v must be zero. False means that the caller must use
// encoding/json; the content of v is then unusable. The result refers to data, which must not change afterwards.
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

// Object reads an object with these members, at most 64. Null leaves v unchanged.
func Object[T any](r *Reader, v *T, fields []Field[T]) {
	if r.null() || !r.open('{') {
		return
	}
	o := members{n: len(fields)}
	for r.member(&o, func(i int) string { return fields[i].Name }) {
		fields[o.found].Read(r, v)
	}
}

// Pointer reads a value that may be null, for which the pointer is nil.
func Pointer[T any](r *Reader, p **T, read func(*Reader, *T)) {
	if r.null() {
		return
	}
	*p = new(T)
	read(r, *p)
}

// List reads a list. Null becomes nil; an empty list does not.
func List[T any](r *Reader, list *[]T, read func(*Reader, *T)) {
	if r.null() || !r.open('[') {
		return
	}
	out := make([]T, 0, 4)
	for first := true; r.nextMember(']', first); first = false {
		var one T
		read(r, &one)
		out = append(out, one)
	}
	*list = out
}

// Map reads an object with any names. Null becomes nil; an empty object does not. If a name occurs twice, the last
// value counts.
func Map[T any](r *Reader, m *map[string]T, read func(*Reader, *T)) {
	if r.null() || !r.open('{') {
		return
	}
	out := map[string]T{}
	for first := true; r.nextMember('}', first); first = false {
		name := r.name()
		var one T
		read(r, &one)
		out[name] = one
	}
	*m = out
}

// Integer reads an integer that fits into N. Null leaves n unchanged.
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

// Bool reads true or false. Null leaves b unchanged.
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

// String reads a string. Null leaves s unchanged.
func String(r *Reader, s *string) {
	if !r.null() {
		*s = r.string()
	}
}

// Strings reads a list of strings.
func Strings(r *Reader, list *[]string) { List(r, list, String) }

// Text reads a value with read and returns its text without white space between tokens.
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

// Raw reads any value without a change.
func Raw(r *Reader, raw *json.RawMessage) {
	start := r.at
	if r.skip(0); r.bad {
		return
	}
	*raw = r.data[start:r.at:r.at]
}

// Any decodes a value into v, a pointer, with encoding/json. It is for types that are too rare to have a table.
func Any(r *Reader, v any) {
	var raw json.RawMessage
	if Raw(r, &raw); !r.bad {
		r.bad = json.Unmarshal(raw, v) != nil
	}
}
