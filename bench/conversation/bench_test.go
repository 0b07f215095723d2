package main

import (
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
)

// BenchmarkConversation is the conversation between two goroutines, for -cpuprofile and -memprofile; its allocations
// are those of both sides.
func BenchmarkConversation(b *testing.B) {
	w, err := newWork(0)
	if err != nil {
		b.Fatal(err)
	}
	tables, err := newTables(contenders(), w, b.TempDir())
	for _, t := range tables {
		if t.setting == goroutines && err == nil {
			b.Run(t.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := t.talk(false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		if err := t.stop(); err != nil {
			b.Error(err)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkConfiguration measures each step of the configuration's way.
func BenchmarkConfiguration(b *testing.B) {
	config, err := configuration()
	if err != nil {
		b.Fatal(err)
	}
	value, err := syncproto.ToValue(*config)
	if err != nil {
		b.Fatal(err)
	}
	step := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	step("ToValue", func() error { _, err := syncproto.ToValue(*config); return err })
	step("FromValue", func() error { var c container.Config; return syncproto.FromValue(value, &c, false) })
	for _, c := range []codec.Codec{codec.MessagePack(), codec.JSON()} {
		encoded, err := c.Append(nil, value)
		if err != nil {
			b.Fatal(err)
		}
		step("Encode "+c.Name(), func() error {
			_, err := codec.Encode(c, nil, config, syncproto.Limits{})
			return err
		})
		step("Decode into "+c.Name(), func() error {
			var into container.Config
			return codec.Decode(c, encoded, &into, syncproto.Limits{}, true)
		})
		step("Append "+c.Name(), func() error { _, err := c.Append(nil, value); return err })
		step("Decode "+c.Name(), func() error { _, err := c.Decode(encoded, syncproto.Limits{}); return err })
		step("Digest "+c.Name(), func() error { _ = syncproto.Digest(encoded); return nil })
	}
}
