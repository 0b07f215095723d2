package jsonread_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/handfast/handfast/internal/jsonread"
)

type point struct {
	X, Y  int64
	Tags  []string
	Extra json.RawMessage
}

var pointFields = []jsonread.Field[point]{
	{Name: "x", Read: func(r *jsonread.Reader, p *point) { jsonread.Integer(r, &p.X) }},
	{Name: "y", Read: func(r *jsonread.Reader, p *point) { jsonread.Integer(r, &p.Y) }},
	{Name: "tags", Read: func(r *jsonread.Reader, p *point) { jsonread.Strings(r, &p.Tags) }},
	{Name: "extra", Read: func(r *jsonread.Reader, p *point) { jsonread.Raw(r, &p.Extra) }},
}

func readPoint(r *jsonread.Reader, p *point) { jsonread.Object(r, p, pointFields) }

func Example() {
	var p point
	ok := jsonread.Decode([]byte(`{"x": -3, "tags": ["a", "\u00e4"], "extra": {"z": [1]}, "other": null}`), &p, readPoint)
	fmt.Println(ok, p.X, p.Y, p.Tags, string(p.Extra))
	fmt.Println(jsonread.Decode([]byte(`{"X": -3}`), &p, readPoint)) // encoding/json takes it for x, and must do so
	// Output:
	// true -3 0 [a ä] {"z": [1]}
	// false
}

// TestText checks that white space is removed between tokens, but not in strings.
func TestText(t *testing.T) {
	var text json.RawMessage
	var p point
	in := " { \"tags\" : [ \"a b\" ,\n\"\\\\\" , \"\\\" \" ] , \"x\"\t: 1 } "
	if !jsonread.Decode([]byte(in), &p, func(r *jsonread.Reader, p *point) {
		text = jsonread.Text(r, func() { readPoint(r, p) })
	}) {
		t.Fatal("not taken")
	}
	if want := `{"tags":["a b","\\","\" "],"x":1}`; string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
}

// TestNotUTF8 checks that text that is not UTF-8, which encoding/json replaces, is not accepted.
func TestNotUTF8(t *testing.T) {
	var p point
	if jsonread.Decode([]byte("{\"tags\": [\"\xff\"]}"), &p, readPoint) {
		t.Error("taken")
	}
}

// TestNoMemory checks that the strings of the result are parts of one text, and that unknown members need no
// memory.
func TestNoMemory(t *testing.T) {
	data := []byte(`{"x": 1, "unknown": {"a": [1, 2, {"b": "c"}]}, "y": 2}`)
	var p point
	if n := testing.AllocsPerRun(100, func() { jsonread.Decode(data, &p, readPoint) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

// everything is a document that uses every rule of JSON, both in members with a Field and in others.
const everything = ` {"x":-10,"tags":["a\"\\\u00e4\u00E4\n",null],` +
	`"extra":{"a":[1.5e+3,-0,0.1E-2,true,false,null,"\/\b\u0041",{}]},` +
	`"other":{"b":"\\\"\u00e4","c":[[],{"d":"\u12aB"}]},"y":7,"last":"\t"} `

// TestBrokenOff checks that a document that is cut off anywhere is not accepted, and that nothing after its end is
// read.
func TestBrokenOff(t *testing.T) {
	for n := range len(everything) + 1 {
		data := []byte(everything[:n])
		var p point
		took := jsonread.Decode(data[:n:n], &p, readPoint)
		if took != json.Valid(data) {
			t.Errorf("%q: taken %t", data, took)
		}
	}
	for _, text := range []string{`{"extra":{"\`, `{"other":["\`, `{"other":{"\`, `{"tags":["\u12`, `{"\`} {
		data := []byte(text)
		var p point
		if jsonread.Decode(data[:len(text):len(text)], &p, readPoint) {
			t.Errorf("%q: taken", text)
		}
	}
}

// FuzzDecode compares a Reader with encoding/json: what the Reader accepts, encoding/json must accept with the
// same result.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(`{"extra":{"\`))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append(make([]byte, 0, len(data)), data...)
		data = data[:len(data):len(data)]
		var got point
		if !jsonread.Decode(data, &got, readPoint) {
			return
		}
		var want point
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q is taken, and is wrong: %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q\n got  %+v\n want %+v", data, got, want)
		}
	})
}
