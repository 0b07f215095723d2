package codec_test

import (
	"strconv"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// messages are those whose speed matters: a control message, of which a conversation has several, a request with an
// argument, and the configuration of an ordinary container, about 5 KiB.
func messages(b *testing.B) map[string]syncproto.Value {
	b.Helper()
	ids := syncproto.ListValue(syncproto.IntValue(0), syncproto.IntValue(100000), syncproto.IntValue(65536))
	c := container.Config{
		ID: "c1", Hostname: "box", Namespaces: []container.Namespace{{Kind: "pid", How: "created"},
			{Kind: "mount", How: "created"}, {Kind: "ipc", How: "created"}},
		Root: container.Root{Path: "/srv/containers/c1/rootfs"},
		Process: container.Process{Args: []string{"/bin/sh", "-c", "exec /usr/bin/server --listen :8080"}, Cwd: "/",
			NoNewPrivs:   true,
			Capabilities: container.Capabilities{Bounding: 0x20000420, Effective: 0x20000420, Permitted: 0x20000420}},
	}
	for i := range 30 {
		n := strconv.Itoa(i)
		c.Mounts = append(c.Mounts, container.Mount{Destination: "/mnt/" + n, Type: "tmpfs", Source: "tmpfs", Set: 6,
			Data: []string{"mode=755", "size=65536k"}})
		c.Process.Env = append(c.Process.Env, "VARIABLE_"+n+"=the value of the variable "+n)
		c.Masked = append(c.Masked, "/proc/masked/"+n)
	}
	config, err := syncproto.ToValue(c)
	if err != nil {
		b.Fatal(err)
	}
	all := map[string]syncproto.Value{"config": config}
	for name, body := range map[string]syncproto.Call{
		"control": {Name: "ready"},
		"request": {Name: "write-id-maps", Arg: syncproto.MapValue(syncproto.Field{Name: "pid",
			Value: syncproto.IntValue(4711)}, syncproto.Field{Name: "uid", Value: ids}, syncproto.Field{Name: "gid",
			Value: ids})},
	} {
		if all[name], err = syncproto.ToValue(body); err != nil {
			b.Fatal(err)
		}
	}
	return all
}

// each runs f for every message in every codec, with the message and its encoding.
func each(b *testing.B, f func(b *testing.B, c codec.Codec, v syncproto.Value, in []byte)) {
	all := messages(b)
	for _, name := range []string{"control", "request", "config"} {
		for _, c := range []codec.Codec{codec.JSON(), codec.MessagePack()} {
			b.Run(name+"/"+c.Name(), func(b *testing.B) {
				in, err := c.Append(nil, all[name])
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.SetBytes(int64(len(in)))
				f(b, c, all[name], in)
			})
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	each(b, func(b *testing.B, c codec.Codec, v syncproto.Value, in []byte) {
		buf := make([]byte, 0, len(in))
		for b.Loop() {
			if _, err := c.Append(buf, v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	each(b, func(b *testing.B, c codec.Codec, _ syncproto.Value, in []byte) {
		for b.Loop() {
			if _, err := c.Decode(in, syncproto.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecodeBomb(b *testing.B) {
	in := []byte("\xdd\xff\xff\xff\x0f")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.MessagePack().Decode(in, syncproto.Limits{}); err == nil {
			b.Fatal("the bomb was decoded")
		}
	}
}
