package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/handfast/handfast/internal/jsonread"
)

// DecodeError reports where and how a document is wrong. Line and Column start at one, and Column counts bytes.
// Property is empty if the JSON itself is malformed.
type DecodeError struct {
	File         string
	Line, Column int
	Property     string // such as process.args[2]
	Problem      string
}

// Error returns one line of the form file:line:column: property: problem.
func (e *DecodeError) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Property != "" {
		where += e.Property + ": "
	}
	return where + e.Problem
}

// Decode reads a configuration. Errors use file as its name, such as config.json. Every error is a *DecodeError.
// The result refers to data, which must not change afterwards.
func Decode(data []byte, file string) (*Spec, error) { return decode(data, file, readSpec) }

// DecodeProcess reads a document that contains only the configuration's process, as clients pass it to "exec
// --process". Every error is a *DecodeError. The result refers to data, as with Decode.
func DecodeProcess(data []byte, file string) (*Process, error) {
	return decode(data, file, readProcess)
}

// DecodeResources reads a document that contains only linux.resources, as clients pass it to "update --resources".
// Every error is a *DecodeError.
func DecodeResources(data []byte, file string) (*Resources, error) {
	return decode(data, file, readResources)
}

// decode reads a document with the tables if they accept it, and otherwise with encoding/json, which is
// authoritative.
func decode[T any](data []byte, file string, read func(*reader, *T)) (*T, error) {
	if err := checkUTF8(data, file); err != nil {
		return nil, err
	}
	v := new(T)
	if !jsonread.Decode(data, v, read) {
		v = new(T)
		if err := unmarshal(data, file, v); err != nil {
			return nil, err
		}
	}
	if err := checkNUL(data, file); err != nil {
		return nil, err
	}
	return v, nil
}

// decodeInto is decode for types without a table.
func decodeInto(data []byte, file string, into any) error {
	err := checkUTF8(data, file)
	if err == nil {
		err = unmarshal(data, file, into)
	}
	if err == nil {
		err = checkNUL(data, file)
	}
	return err
}

func checkUTF8(data []byte, file string) error {
	if utf8.Valid(data) {
		return nil
	}
	at := 0
	for at < len(data) {
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return decodeError(data, file, at, "", "the text is not UTF-8")
}

// checkNUL refuses a NUL in any string. No string that is passed to the kernel can contain one: the string would
// end early and could name a different file.
func checkNUL(data []byte, file string) error {
	if !bytes.Contains(data, []byte(`\u0000`)) {
		return nil
	}
	at, property, found := find(data, func(_ int64, t json.Token) bool {
		s, ok := t.(string)
		return ok && strings.ContainsRune(s, 0)
	})
	if !found {
		return nil
	}
	return decodeError(data, file, at, property, "the string holds a NUL character")
}

// unmarshal is json.Unmarshal, with errors that include the position.
func unmarshal(data []byte, file string, into any) error {
	err := json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at := max(int(syntax.Offset)-1, 0)
		if strings.HasPrefix(syntax.Error(), "unexpected end") {
			at = len(data)
		}
		return decodeError(data, file, at, "", "broken JSON: "+syntax.Error())
	case errors.As(err, &wrongType):
		at, property, _ := find(data, func(end int64, _ json.Token) bool { return end >= wrongType.Offset })
		got := wrongType.Value
		if strings.HasPrefix(got, "number ") && wantsNumber(wrongType.Type) {
			got = strings.TrimPrefix(got, "number ")
		}
		return decodeError(data, file, at, property, "want "+want(wrongType.Type)+", got "+got+literal(got,
			data[min(at, len(data)):]))
	case err != nil:
		return decodeError(data, file, 0, "", err.Error())
	}
	return nil
}

func decodeError(data []byte, file string, at int, property, problem string) error {
	at = min(at, len(data))
	before := data[:at]
	return &DecodeError{
		File: file, Line: 1 + bytes.Count(before, []byte{'\n'}), Column: at - bytes.LastIndexByte(before, '\n'),
		Property: property, Problem: problem,
	}
}

// literalLimit is the longest wrong value that a message shows.
const literalLimit = 60

// literal returns the value at the beginning of data, with a space before it, if kind is a scalar type. It returns
// the empty string for a long value.
func literal(kind string, data []byte) string {
	if kind != "string" && kind != "bool" && kind != "number" {
		return ""
	}
	var v json.RawMessage
	if json.NewDecoder(bytes.NewReader(data)).Decode(&v) != nil || len(v) > literalLimit {
		return ""
	}
	return " " + string(v)
}

// want describes, in the user's words, what a Go type accepts.
func want(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		switch t.Elem().Kind() {
		case reflect.String:
			return "a list of strings"
		case reflect.Struct:
			return "a list of objects"
		}
		return "a list of numbers"
	case reflect.Uint16:
		return "a whole number from 0 to 65535"
	case reflect.Uint32:
		return "a whole number from 0 to 4294967295"
	case reflect.Uint64:
		return "a whole number from 0 to 18446744073709551615"
	case reflect.Int64, reflect.Int:
		return "a whole number"
	}
	return "an object"
}

func wantsNumber(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int64, reflect.Int:
		return true
	}
	return false
}

// find returns the offset and the path of the first value token for which is returns true. The argument end of is
// is the offset after the token. It is needed because encoding/json reports only the end of a value that it could
// not store, and no index in a list.
func find(data []byte, is func(end int64, t json.Token) bool) (at int, property string, found bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var path []step
	for {
		start := int(d.InputOffset())
		t, err := d.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return 0, "", false
		}
		start += len(data[start:]) - len(bytes.TrimLeft(data[start:], " \t\r\n,:"))
		delim, _ := t.(json.Delim)
		if delim == '}' || delim == ']' {
			path = path[:len(path)-1]
			continue
		}
		if len(path) > 0 && path[len(path)-1].take(t) {
			continue // a key
		}
		if is(d.InputOffset(), t) {
			return start, pathText(path), true
		}
		if delim != 0 {
			path = append(path, step{list: delim == '[', index: -1})
		}
	}
}

// step is the position inside one object or list.
type step struct {
	list  bool
	index int
	key   string
	value bool // the key has been read, and its value is next
}

// take moves on by one token and reports whether it was a key.
func (s *step) take(t json.Token) bool {
	if s.list {
		s.index++
		return false
	}
	if s.value {
		s.value = false
		return false
	}
	s.key, _ = t.(string)
	s.value = true
	return true
}

func pathText(path []step) string {
	var b strings.Builder
	for _, s := range path {
		switch {
		case s.list:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case b.Len() > 0:
			b.WriteString("." + s.key)
		default:
			b.WriteString(s.key)
		}
	}
	return b.String()
}
