package jsonread_test

import (
	"encoding/json"
	"fmt"
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

// TestText: white space goes away between tokens, and stays in strings.
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

// TestNotUTF8: encoding/json replaces what is not UTF-8.
func TestNotUTF8(t *testing.T) {
	var p point
	if jsonread.Decode([]byte("{\"tags\": [\"\xff\"]}"), &p, readPoint) {
		t.Error("taken")
	}
}

// TestNoMemory: the strings of the result are parts of one text, and unknown members cost nothing.
func TestNoMemory(t *testing.T) {
	data := []byte(`{"x": 1, "unknown": {"a": [1, 2, {"b": "c"}]}, "y": 2}`)
	var p point
	if n := testing.AllocsPerRun(100, func() { jsonread.Decode(data, &p, readPoint) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
