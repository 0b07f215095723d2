package oci

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", ``, `config.json:1:1: broken JSON: unexpected end of JSON input`},
		{"cut", "{\n \"a\": [1,", `config.json:2:10: broken JSON: unexpected end of JSON input`},
		{"comma", "{\n  \"a\": 1,\n}",
			`config.json:3:1: broken JSON: invalid character '}' looking for beginning of object key string`},
		{"two documents", "{}\n{}", `config.json:2:1: broken JSON: invalid character '{' after top-level value`},
		{"bytes", "{\"a\": \"\xff\"}", `config.json:1:8: the text is not UTF-8`},
		{"a list", `[]`, `config.json:1:1: want an object, got array`},
		{"args", "{\n  \"process\": {\n    \"args\": 5\n  }\n}",
			`config.json:3:13: process.args: want a list of strings, got number 5`},
		{"one argument", `{"process": {"args": ["a", true]}}`,
			`config.json:1:28: process.args[1]: want a string, got bool true`},
		{"null is nothing", `{"process": {"args": null}, "linux": null}`, ``},
		{"uid", `{"process": {"user": {"uid": -1}}}`,
			`config.json:1:30: process.user.uid: want a whole number from 0 to 4294967295, got -1`},
		{"gid", `{"process": {"user": {"additionalGids": [1, 4294967296]}}}`,
			`config.json:1:45: process.user.additionalGids[1]: want a whole number from 0 to 4294967295, got 4294967296`},
		{"readonly", `{"root": {"readonly": "yes"}}`,
			`config.json:1:23: root.readonly: want true or false, got string "yes"`},
		{"second mount", "{\"mounts\": [{},\n {\"options\": {}}]}",
			`config.json:2:14: mounts[1].options: want a list of strings, got object`},
		{"mounts", `{"mounts": {}}`, `config.json:1:12: mounts: want a list of objects, got object`},
		{"annotation", `{"annotations": {"a": "b", "c": 1}}`, `config.json:1:33: annotations.c: want a string, got number 1`},
		{"limit", `{"linux": {"resources": {"memory": {"limit": 1.5}}}}`,
			`config.json:1:46: linux.resources.memory.limit: want a whole number, got 1.5`},
		{"NUL", `{"process": {"args": ["a", "b\u0000c"]}}`,
			`config.json:1:28: process.args[1]: the string holds a NUL character`},
		{"no NUL", `{"process": {"args": ["a", "b\\u0000c"]}}`, ``},
		{"unknown", `{"x": {"y": [1, {}]}, "windows": {"a": 1}, "linux": {"new": true}}`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode([]byte(c.in), "config.json")
			if got := text(err); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestDecodeSaysWhere puts a wrong value into a list and expects its exact position, whatever the white space.
func TestDecodeSaysWhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		space := rapid.StringMatching(`[ \n\t]{0,3}`)
		n := rapid.IntRange(0, 5).Draw(t, "good ones")
		var b strings.Builder
		b.WriteString(`{"process"` + space.Draw(t, "a") + `:` + space.Draw(t, "b") + `{"env":[`)
		for range n {
			b.WriteString(`"A=]{\"",` + space.Draw(t, "c"))
		}
		line := 1 + strings.Count(b.String(), "\n")
		column := b.Len() - strings.LastIndexByte(b.String(), '\n')
		b.WriteString(rapid.SampledFrom([]string{"1", "true", "{}", "[]", "-1.5e3"}).Draw(t, "wrong") + space.Draw(t, "d") +
			`]}}`)
		_, err := Decode([]byte(b.String()), "f")
		var wrong *DecodeError
		if !errors.As(err, &wrong) || wrong.Line != line || wrong.Column != column ||
			wrong.Property != "process.env["+string(rune('0'+n))+"]" {
			t.Fatalf("%q: %v, want %d:%d", b.String(), err, line, column)
		}
	})
}

func FuzzDecode(f *testing.F) {
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
	f.Add([]byte(`{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{"namespaces":[{"type":"user"}]},"process":{"args":["\u0000"]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data, "config.json")
		if err != nil {
			var wrong *DecodeError
			if !errors.As(err, &wrong) || wrong.Line < 1 || wrong.Column < 1 || s != nil {
				t.Fatalf("%v with %+v", err, s)
			}
			return
		}
		out, err := Plan(s, Options{Bundle: "/bundle", ID: "x", Host: testHost()})
		if (out == nil) == (err == nil) {
			t.Fatalf("%v with %+v", err, out)
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Fatalf("more than one line: %q", err)
			}
			return
		}
		for _, m := range out.Spawn.Container.Mounts {
			if !filepath.IsAbs(m.Destination) || filepath.Clean(m.Destination) != m.Destination {
				t.Fatalf("destination %q", m.Destination)
			}
		}
		if !strings.HasPrefix(out.CgroupPath, "/") || out.CgroupPath == "/" ||
			strings.Contains(out.CgroupPath, "..") && filepath.Clean(out.CgroupPath) != out.CgroupPath {
			t.Fatalf("cgroup path %q", out.CgroupPath)
		}
	})
}

func TestNothing(t *testing.T) {
	for _, in := range []string{``, `null`, `""`, `{}`, `[]`, `0`, `false`, `{"a": {"b": 0}, "c": []}`} {
		if !requestsNothing(json.RawMessage(in)) {
			t.Errorf("%s asks for something", in)
		}
	}
	for _, in := range []string{`1`, `true`, `"x"`, `[0]`, `[{}]`, `{"a": {"b": -1}}`} {
		if requestsNothing(json.RawMessage(in)) {
			t.Errorf("%s asks for nothing", in)
		}
	}
}
