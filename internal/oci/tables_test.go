package oci

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/jsonread"
	"github.com/handfast/handfast/internal/testenv/anyvalue"
)

// checkTables compares the tables with encoding/json: if the tables accept a document, encoding/json must accept
// it with the same result. It reports whether they accepted it.
func checkTables(t interface{ Fatalf(string, ...any) }, data []byte) bool {
	var byTables, byJSON Spec
	taken := jsonread.Decode(data, &byTables, readSpec)
	if !taken {
		return false
	}
	if err := json.Unmarshal(data, &byJSON); err != nil {
		t.Fatalf("%s\nthe tables take it, and encoding/json says %v", data, err)
	}
	if (byTables.Process != nil) != (byTables.ProcessText != nil) {
		t.Fatalf("%s\nthe text of the process is %q", data, byTables.ProcessText)
	}
	if text := byTables.ProcessText; text != nil {
		var again Process
		if err := json.Unmarshal(text, &again); err != nil || !cmp.Equal(again, *byTables.Process) {
			t.Fatalf("%s\n%s is not the process: %v", data, text, err)
		}
	}
	byTables.ProcessText = nil
	if diff := cmp.Diff(byJSON, byTables); diff != "" {
		t.Fatalf("%s\n%s", data, diff)
	}
	return true
}

// TestTablesTakeClients checks that the tables accept what clients write, so that starts by these clients avoid
// reflection.
func TestTablesTakeClients(t *testing.T) {
	files, err := filepath.Glob("testdata/clients/*.config.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !checkTables(t, data) {
			t.Errorf("%s: left to encoding/json", file)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil || !checkTables(t, compact.Bytes()) {
			t.Errorf("%s, compact: left to encoding/json (%v)", file, err)
		}
	}
}

// TestTables writes configurations with every member of every type. This finds members that no table knows, whose
// values would be lost.
func TestTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want Spec
		anyvalue.Fill(t, &want, `null`, `{"a":[1,{"b":"c"}],"d":-1.5e3}`, `[]`, `"x"`)
		want.ProcessText = nil
		data, err := json.Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		if !checkTables(t, data) {
			t.Fatalf("left to encoding/json: %s", data)
		}
	})
}

// TestTablesGiveUp checks that the tables leave input to encoding/json if it handles it in a special way or
// refuses it.
func TestTablesGiveUp(t *testing.T) {
	for _, in := range []string{
		``, `[]`, `{`, `{}}`, `{} {}`, `{"a":}`, `{,}`, `{"a":1,}`, `{"a" 1}`, `{"a":01}`, `{"a":1.}`, `{"a":-}`,
		`{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\ud800"`, `{"hostname":"\ud83d\ude00"}`, "{\"a\":\"\n\"}", `{"a":tru}`, `{"a":nul}`,
		`{"Hostname":"x"}`, `{"hoſtname":"x"}`, `{"hostname":"x","hostname":"y"}`, `{"hostname":1}`, `{"process":[]}`,
		`{"process":{"user":{"uid":-1}}}`, `{"process":{"user":{"uid":4294967296}}}`, `{"process":{"oomScoreAdj":1.0}}`,
		`{"process":{"oomScoreAdj":1e1}}`, `{"linux":{"intelRdt":{"closID":1}}}`, `{"process":{"args":[,]}}`,
		`{"process":{"args":["a",]}}`, `{"mounts":{}}`, `{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`,
	} {
		var s Spec
		if jsonread.Decode([]byte(in), &s, readSpec) {
			t.Errorf("%s is taken", in)
		}
	}
	for _, in := range []string{
		` null `, "\t{ } \n", `{"process":null,"mounts":null,"annotations":null,"hostname":null,"linux":{"seccomp":null}}`,
		`{"x":{"y":[1,{}],"z":"\"\\\/\b\f\n\r\t\u00e4"},"n":-0.5E-7,"t":true,"f":false,"u":null}`,
		`{"mounts":[null,{"options":[null,"a"]}],"hostname":"\"\\\/\b\f\n\r\t\u00e4","process":{"oomScoreAdj":-0}}`,
		`{"annotations":{"a":"1","a":"2"},"linux":{"sysctl":{},"maskedPaths":[],"intelRdt":null}}`,
	} {
		if !checkTables(t, []byte(in)) {
			t.Errorf("%s is left to encoding/json", in)
		}
	}
}

// FuzzTables compares the tables with encoding/json on arbitrary text.
func FuzzTables(f *testing.F) {
	files, err := filepath.Glob("testdata/clients/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"hostname":"\u00e4\"","process":{"user":{"uid":1},"args":["a",null]},"mounts":[{},null],"x":[1e3,{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		checkTables(t, data)
	})
}
