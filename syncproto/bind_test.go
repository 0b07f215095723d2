package syncproto_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

type inner struct {
	N  int8     `sync:"n"`
	Up *inner   `sync:"up,omitempty"`
	U  []uint16 `sync:"u,omitempty"`
}

type everything struct {
	B     bool            `sync:"b"`
	I     int             `sync:"i"`
	I64   int64           `sync:"i64,omitempty"`
	U64   uint64          `sync:"u64"`
	U8    uint8           `sync:"u8"`
	S     string          `sync:"s,omitempty"`
	Raw   []byte          `sync:"raw,omitempty"`
	L     []string        `sync:"l,omitempty"`
	In    inner           `sync:"in"`
	Ptr   *inner          `sync:"ptr"`
	List  []inner         `sync:"list,omitempty"`
	Code  syncproto.Code  `sync:"code"`
	Any   syncproto.Value `sync:"any"`
	Local string          // does not travel
}

func anyInner(depth int) *rapid.Generator[inner] {
	return rapid.Custom(func(t *rapid.T) inner {
		in := inner{N: rapid.Int8().Draw(t, "n")}
		if u := rapid.SliceOf(rapid.Uint16()).Draw(t, "u"); len(u) > 0 {
			in.U = u
		}
		if depth > 0 && rapid.Bool().Draw(t, "deeper") {
			up := anyInner(depth-1).Draw(t, "up")
			in.Up = &up
		}
		return in
	})
}

func TestStructsSurviveTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := everything{
			B: rapid.Bool().Draw(t, "b"), I: rapid.Int().Draw(t, "i"), I64: rapid.Int64().Draw(t, "i64"),
			U64: rapid.Uint64().Draw(t, "u64"), U8: rapid.Uint8().Draw(t, "u8"),
			S: rapid.String().Draw(t, "s"), In: anyInner(2).Draw(t, "in"), Code: syncproto.CodeExec,
			Any: syncproto.IntValue(rapid.Int64().Draw(t, "any")),
		}
		if raw := rapid.SliceOf(rapid.Byte()).Draw(t, "raw"); len(raw) > 0 {
			want.Raw = raw
		}
		if l := rapid.SliceOf(rapid.String()).Draw(t, "l"); len(l) > 0 {
			want.L = l
		}
		if l := rapid.SliceOfN(anyInner(1), 0, 3).Draw(t, "list"); len(l) > 0 {
			want.List = l
		}
		if rapid.Bool().Draw(t, "pointer") {
			p := anyInner(1).Draw(t, "ptr")
			want.Ptr = &p
		}
		v, err := syncproto.ToValue(want)
		if err != nil {
			t.Fatal(err)
		}
		var got everything
		if err := syncproto.FromValue(v, &got, false); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestConfigSurvivesTheModel(t *testing.T) {
	want := container.Config{
		ID: "c1", Hostname: "h", GateFD: 2, Loopback: true, Masked: []string{"/proc/kcore"},
		Namespaces: []container.Namespace{{Kind: container.NSPid, How: container.NSCreated},
			{Kind: container.NSNetwork, How: container.NSJoin, FD: 1}},
		Root: container.Root{Path: "/rootfs", Readonly: true, Propagation: 1 << 19},
		Mounts: []container.Mount{{Destination: "/proc", Type: "proc", Set: 14},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Cgroup: &container.Cgroup{Version: 1,
				Hierarchies: []container.CgroupEntry{{Name: "cpu,cpuacct", Options: "cpu,cpuacct", Path: "/x",
					Links: []string{"cpu"}}}}}},
		Devices: []container.Device{{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666}},
		Process: container.Process{Args: []string{"/bin/true"}, Cwd: "/",
			Capabilities: container.Capabilities{Bounding: 1<<41 - 1}, Rlimits: []container.Rlimit{{Resource: 7, Soft: 1024,
				Hard: 1<<64 - 1}}},
		Hooks: container.Hooks{Runtime: true, StartContainer: []container.Hook{{Path: "/h", Args: []string{"h"},
			Timeout: 5}}},
	}
	v, err := syncproto.ToValue(want)
	if err != nil {
		t.Fatal(err)
	}
	var got container.Config
	if err := syncproto.FromValue(v, &got, false); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func field(name string, v syncproto.Value) syncproto.Value {
	return syncproto.MapValue(syncproto.Field{Name: name, Value: v})
}

func TestFromValueNamesTheField(t *testing.T) {
	text, one := syncproto.StringValue("x"), syncproto.IntValue(1)
	for want, v := range map[string]syncproto.Value{
		`b: want bool, got integer 1`:                       field("b", one),
		`i: want int, got string "x"`:                       field("i", text),
		`i64: want int64, got integer 18446744073709551615`: field("i64", syncproto.UintValue(1<<64-1)),
		`u64: want uint64, got integer -1`:                  field("u64", syncproto.IntValue(-1)),
		`u8: want uint8, got integer 256`:                   field("u8", syncproto.IntValue(256)),
		`s: want string, got bytes bytes("x")`:              field("s", syncproto.BytesValue([]byte("x"))),
		`raw: want bytes, got string "x"`:                   field("raw", text),
		`l: want list, got map {}`:                          field("l", syncproto.MapValue()),
		`l[1]: want string, got null null`:                  field("l", syncproto.ListValue(text, syncproto.Value{})),
		`in: want map, got list []`:                         field("in", syncproto.ListValue()),
		`in.n: want int8, got integer 128`:                  field("in", field("n", syncproto.IntValue(128))),
		`ptr.up.n: want int8, got bool true`:                field("ptr", field("up", field("n", syncproto.BoolValue(true)))),
		`list[0].u[2]: want uint16, got integer -5`: field("list", syncproto.ListValue(field("u",
			syncproto.ListValue(one, one, syncproto.IntValue(-5))))),
		`in.surprise: unknown field`:     field("in", field("surprise", one)),
		`B: unknown field`:               field("B", syncproto.BoolValue(true)),
		`Local: unknown field`:           field("Local", text),
		`value: want map, got integer 1`: one,
		`b: missing`:                     syncproto.MapValue(),
		`ptr.n: missing`:                 field("ptr", syncproto.MapValue()),
	} {
		var e everything
		err := syncproto.FromValue(v, &e, false)
		var b *syncproto.BindError
		if !errors.As(err, &b) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var e everything
	err := syncproto.FromValue(field("in", field("surprise", one)), &e, true)
	if err == nil || err.Error() != "in.n: missing" {
		t.Errorf("lenient, without what is required: %v", err)
	}
	var in inner
	more := syncproto.MapValue(syncproto.Field{Name: "surprise"}, syncproto.Field{Name: "n", Value: one})
	if err := syncproto.FromValue(more, &in, true); err != nil {
		t.Errorf("lenient: %v", err)
	}
	if err := syncproto.FromValue(field("in", field("n", text)), &e, true); err == nil {
		t.Error("lenient means that a wrong type passes")
	}
}

type loop *loop

type cycle struct {
	Next *cycle `sync:"next"`
}

type embedding struct {
	inner
	N int `sync:"n"`
}

// No field is dropped silently, and no cycle is followed for ever: the error names the field and the type.
func TestToValueRefusesWhatTheModelHasNot(t *testing.T) {
	ring := &cycle{}
	ring.Next = ring
	var itself loop
	itself = &itself
	deep := strings.Repeat("next.", 254) +
		"next: structs, lists and maps are nested more than 255 deep; a cycle of pointers?"
	for _, test := range []struct {
		want string
		err  error
	}{
		{"value: the data model has no float64", convert(1.5)},
		{"m: the data model has no map[int]string", convert(struct {
			M map[int]string `sync:"m"`
		}{})},
		{`l[1]: not valid UTF-8: "bad\xff"`, convert(everything{L: []string{"ok", "bad\xff"}})},
		{"value: the data model has no time.Time: no field of it has a sync tag", convert(time.Time{})},
		{"at[0]: the data model has no time.Time: no field of it has a sync tag", convert(struct {
			At []time.Time `sync:"at"`
		}{[]time.Time{{}}})},
		{"value: the data model has no struct { N int \"json:\\\"n\\\"\" }: no field of it has a sync tag", convert(struct {
			N int `json:"n"`
		}{})},
		{"value: embedded inner of syncproto_test.embedding has no sync tag, so its fields would be lost",
			convert(embedding{})},
		{`value: field n of struct { n int "sync:\"n\"" } has a sync tag but is not exported`, convert(struct {
			n int `sync:"n"`
		}{})},
		{`value: fields A and B of struct { A int "sync:\"n\""; B int "sync:\"n\"" } have the same name`, convert(struct {
			A int `sync:"n"`
			B int `sync:"n"`
		}{})},
		{`value: field A of struct { A int "sync:\"$n\"" } has the name "$n", which no codec takes`, convert(struct {
			A int `sync:"$n"`
		}{})},
		{`value: field A of struct { A int "sync:\"n,omitzero\"" } has the option "omitzero"; there is omitempty alone`,
			convert(struct {
				A int `sync:"n,omitzero"`
			}{})},
		{`["$a"]: the key is not valid UTF-8, or starts with "$", which is reserved`, convert(map[string]int{"$a": 1})},
		{deep, convert(ring)},
		{"value: more than 16 pointers in a row; a cycle?", convert(itself)},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("got %v, want %s", test.err, test.want)
		}
	}
	var f float64
	if err := syncproto.FromValue(syncproto.IntValue(1), &f, true); err == nil {
		t.Error("a float was bound")
	}
	if err := syncproto.FromValue(syncproto.Value{}, &itself, true); err != nil {
		t.Errorf("null for a pointer: %v", err)
	}
	if err := syncproto.FromValue(syncproto.IntValue(1), &itself, true); err == nil {
		t.Error("a pointer that leads to itself was bound")
	}
}

func convert[T any](t T) error {
	_, err := syncproto.ToValue(t)
	return err
}

type word string

// Maps, arrays and the empty struct, in both directions.
func TestMapsAndArraysSurviveTheModel(t *testing.T) {
	type all struct {
		M    map[string]int8     `sync:"m"`
		By   map[word][]inner    `sync:"by,omitempty"`
		None map[string]string   `sync:"none,omitempty"`
		A    [3]uint16           `sync:"a"`
		Raw  [4]byte             `sync:"raw"`
		Raws map[string][2]byte  `sync:"raws"`
		Unit struct{}            `sync:"unit"`
		Ptr  **inner             `sync:"ptr"`
		Up   map[string]struct{} `sync:"up"`
	}
	in := &inner{N: 7}
	want := all{M: map[string]int8{"b": 2, "a": -1, "": 0}, By: map[word][]inner{"x": {{N: 1}}}, None: map[string]string{},
		A: [3]uint16{1, 2, 3}, Raw: [4]byte{0xff, 1, 2, 3}, Raws: map[string][2]byte{"r": {1, 2}}, Ptr: &in,
		Up: map[string]struct{}{"k": {}}}
	v, err := syncproto.ToValue(want)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{m:{:0 a:-1 b:2} by:{x:[{n:1}]} a:[1 2 3] raw:bytes("\xff\x01\x02\x03") ` +
		`raws:{r:bytes("\x01\x02")} unit:null ptr:{n:7} up:{k:null}}`
	if v.String() != text {
		t.Errorf("%v, want %s", v, text)
	}
	var got all
	if err := syncproto.FromValue(v, &got, false); err != nil {
		t.Fatal(err)
	}
	want.None = nil
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	one := syncproto.IntValue(1)
	for want, f := range map[string]syncproto.Value{
		`a: want list of 3, got list [1]`:           field("a", syncproto.ListValue(one)),
		`raw: want 4 bytes, got bytes bytes("abc")`: field("raw", syncproto.BytesValue([]byte("abc"))),
		`unit: want null, got map {}`:               field("unit", syncproto.MapValue()),
		`m["k"]: want int8, got string "x"`:         field("m", field("k", syncproto.StringValue("x"))),
		`m: want map, got null null`:                field("m", syncproto.Value{}),
		`by["k"][0].n: want int8, got null null`: field("by",
			field("k", syncproto.ListValue(field("n", syncproto.Value{})))),
		`up["k"]: want null, got integer 1`: field("up", field("k", one)),
		`ptr.n: missing`:                    field("ptr", syncproto.MapValue()),
	} {
		if err := syncproto.FromValue(f, &got, false); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
