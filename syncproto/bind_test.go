package syncproto_test

import (
	"errors"
	"testing"

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
			B: rapid.Bool().Draw(t, "b"), I: rapid.Int().Draw(t, "i"), I64: rapid.Int64().Draw(t, "i64"), U64: rapid.Uint64().Draw(t, "u64"), U8: rapid.Uint8().Draw(t, "u8"),
			S: rapid.String().Draw(t, "s"), In: anyInner(2).Draw(t, "in"), Code: syncproto.CodeExec, Any: syncproto.IntValue(rapid.Int64().Draw(t, "any")),
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
		Namespaces: []container.Namespace{{Kind: container.NSPid, How: container.NSCreated}, {Kind: container.NSNetwork, How: container.NSJoin, FD: 1}},
		Root:       container.Root{Path: "/rootfs", Readonly: true, Propagation: 1 << 19},
		Mounts: []container.Mount{{Destination: "/proc", Type: "proc", Set: 14},
			{Destination: "/sys/fs/cgroup", Type: "cgroup", Cgroup: &container.Cgroup{Version: 1, Hierarchies: []container.Hierarchy{{Name: "cpu,cpuacct", Options: "cpu,cpuacct", Path: "/x", Links: []string{"cpu"}}}}}},
		Devices: []container.Device{{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666}},
		Process: container.Process{Args: []string{"/bin/true"}, Cwd: "/", Capabilities: container.Capabilities{Bounding: 1<<41 - 1}, Rlimits: []container.Rlimit{{Resource: 7, Soft: 1024, Hard: 1<<64 - 1}}},
		Hooks:   container.Hooks{Runtime: true, StartContainer: []container.Hook{{Path: "/h", Args: []string{"h"}, Timeout: 5}}},
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
		`list[0].u[2]: want uint16, got integer -5`:         field("list", syncproto.ListValue(field("u", syncproto.ListValue(one, one, syncproto.IntValue(-5))))),
		`in.surprise: unknown field`:                        field("in", field("surprise", one)),
		`B: unknown field`:                                  field("B", syncproto.BoolValue(true)),
		`Local: unknown field`:                              field("Local", text),
		`value: want map, got integer 1`:                    one,
	} {
		var e everything
		err := syncproto.FromValue(v, &e, false)
		var b *syncproto.BindError
		if !errors.As(err, &b) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var e everything
	if err := syncproto.FromValue(field("in", field("surprise", one)), &e, true); err != nil {
		t.Errorf("lenient: %v", err)
	}
	if err := syncproto.FromValue(field("in", field("n", text)), &e, true); err == nil {
		t.Error("lenient means that a wrong type passes")
	}
}

func TestToValueRefusesWhatTheModelHasNot(t *testing.T) {
	check := func(want string, err error) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, err := syncproto.ToValue(1.5)
	check("value: the data model has no float64", err)
	_, err = syncproto.ToValue(struct {
		M map[string]int `sync:"m"`
	}{})
	check("m: the data model has no map[string]int", err)
	_, err = syncproto.ToValue(everything{L: []string{"ok", "bad\xff"}})
	check(`l[1]: not valid UTF-8: "bad\xff"`, err)
	var f float64
	if err := syncproto.FromValue(syncproto.IntValue(1), &f, true); err == nil {
		t.Error("a float was bound")
	}
}
