package fuzz

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/codec/codectest"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// codecs are those built in, and the third.
func codecs() []codec.Codec { return append(codec.BuiltIn(), cborCodec{}) }

// The third codec passes what those built in pass.
func TestThirdCodecConforms(t *testing.T) { codectest.Run(t, codecs()[2]) }

// counted counts what a codec decodes.
type counted struct {
	codec.Codec
	n *atomic.Int32
}

func (c counted) Decode(b []byte, l syncproto.Limits) (syncproto.Value, error) {
	c.n.Add(1)
	return c.Codec.Decode(b, l)
}

// A whole conversation in the third codec, chosen by the child, over both kinds of socket: the configuration in
// fragments, a descriptor each way, and the end.
func TestConversationInTheThirdCodec(t *testing.T) {
	all := codecs()
	config := syncproto.MapValue(syncproto.Field{Name: "text", Value: syncproto.StringValue(strings.Repeat("x", 100_000))},
		syncproto.Field{Name: "bytes", Value: syncproto.BytesValue([]byte{0, 0xff})},
		syncproto.Field{Name: "list", Value: syncproto.ListValue(syncproto.IntValue(-1), syncproto.UintValue(1<<63))})
	for _, packets := range []bool{true, false} {
		var n atomic.Int32
		third := counted{all[2], &n}
		for _, offer := range [][]codec.Codec{{third}, {third, all[1], all[0]}} {
			a, fd := rawPair(t, packets)
			b, err := transport.Take(fd)
			if err != nil {
				t.Fatal(err)
			}
			parent, err := transport.NewParent(a, container.InitProfile(), transport.Options{Codecs: offer})
			if err != nil {
				t.Fatal(err)
			}
			child, err := transport.NewChild(b, container.InitProfile(), transport.Options{Codecs: []codec.Codec{all[0], third}})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- converse(context.Background(), child, config) }()
			if err := replyTo(t, parent, config); err != io.EOF {
				t.Errorf("packets %v, %d codecs: %v", packets, len(offer), err)
			}
			_ = parent.Close()
			if err := <-done; err != nil {
				t.Errorf("child: %v", err)
			}
			if got := n.Swap(0); got != 8 { // CONFIG, CONFIG_OK, three requests and three replies
				t.Errorf("packets %v, %d codecs: %d messages were in the third codec, want 8", packets, len(offer), got)
			}
		}
	}
}

// converse is a child that sends a socket as its console, and compares what it receives.
func converse(ctx context.Context, p *transport.Child, config syncproto.Value) error {
	defer p.Close()
	got, fds, err := p.Accept(ctx)
	transport.CloseAll(fds)
	if err == nil && (len(fds) != 1 || !got.Equal(config)) {
		err = errors.New("another configuration arrived")
	}
	if err == nil {
		err = p.Confirm(ctx)
	}
	small, _ := config.Get("list")
	null, oerr := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	err = errors.Join(err, oerr)
	for _, name := range []string{"hooks", "console", "ready"} {
		if err != nil {
			break
		}
		var mine []int
		if name == "console" {
			mine = []int{null}
		}
		var back syncproto.Value
		back, _, err = p.Call(ctx, name, small, mine...)
		if err == nil && !back.Equal(syncproto.StringValue("for "+name)) {
			err = errors.New("another reply to " + name)
		}
	}
	_ = unix.Close(null)
	if err != nil {
		return errors.Join(err, p.Fail(ctx, err))
	}
	return p.Exec(ctx)
}

func replyTo(t *testing.T, p *transport.Parent, config syncproto.Value) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = p.Open(t.Context(), config, []int{null})
	_ = unix.Close(null)
	for err == nil {
		var req *transport.Request
		if req, err = p.Next(t.Context()); err == nil {
			if want := map[bool]int{true: 1}[req.Name == "console"]; len(req.FDs) != want {
				t.Errorf("%s with %d descriptors", req.Name, len(req.FDs))
			}
			transport.CloseAll(req.FDs)
			err = p.Reply(t.Context(), syncproto.StringValue("for "+req.Name))
		}
	}
	return err
}

// checkAlike encodes and decodes v with every codec: all must return it unchanged, or all must refuse it for the same
// reason.
func checkAlike(t rapid.TB, all []codec.Codec, v syncproto.Value, l syncproto.Limits) {
	t.Helper()
	var first error
	for i, c := range all {
		b, err := c.Append(nil, v)
		var back syncproto.Value
		if err == nil {
			back, err = c.Decode(b, l)
		}
		if i == 0 {
			first = err
		}
		if code(err) != code(first) {
			t.Fatalf("%.200v: %s says %v, %s says %v", v, all[0].Name(), first, c.Name(), err)
		}
		if err == nil && !back.Equal(v) {
			t.Fatalf("%.200v comes back from %s as %.200v", v, c.Name(), back)
		}
	}
}

// code is why a codec refuses; empty for no error.
func code(err error) syncproto.Code {
	var p *syncproto.ProtocolError
	if errors.As(err, &p) {
		return p.Code
	}
	if err != nil {
		return "not of the protocol: " + syncproto.Code(err.Error())
	}
	return ""
}

func TestCodecsAreAlike(t *testing.T) {
	all := codecs()
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.Uint8Range(1, 6).Draw(t, "depth")
		checkAlike(t, all, codectest.Values().Draw(t, "value"), syncproto.Limits{Depth: depth})
	})
}

// Values that no codec takes are refused by all, on the side that sends.
func TestCodecsRefuseAlike(t *testing.T) {
	all := codecs()
	rapid.Check(t, func(t *rapid.T) {
		v := scribble(rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "script"))
		checkAlike(t, all, v, syncproto.Limits{Depth: 8})
	})
	// The bound on their number is the same for all, and lies between two values.
	for n, want := range map[int]syncproto.Code{syncproto.MaxValues - 1: "", syncproto.MaxValues: syncproto.CodeLimit} {
		v := syncproto.ListValue(make([]syncproto.Value, n)...)
		checkAlike(t, all, v, syncproto.Limits{})
		if err := codec.Check(v, 1); code(err) != want {
			t.Errorf("%d values: %v", n+1, err)
		}
	}
}

// scribble turns any bytes into a value, including values with names that are duplicate, start with "$" or are not
// text, and deeply nested ones.
func scribble(script []byte) syncproto.Value {
	next := func() (b byte) {
		if len(script) > 0 {
			b, script = script[0], script[1:]
		}
		return b
	}
	text := func() string {
		n := min(int(next()&3), len(script))
		s := string(script[:n])
		script = script[n:]
		return s
	}
	var value func(depth int) syncproto.Value
	value = func(depth int) syncproto.Value {
		c := next()
		n := int(c >> 4)
		switch c & 15 {
		case 0:
			return syncproto.Value{}
		case 1, 2:
			return syncproto.BoolValue(c&15 == 1)
		case 3, 4, 5:
			return syncproto.IntValue(int64(int8(next())) << (4 * n))
		case 6:
			return syncproto.UintValue(uint64(next())<<56 | uint64(n))
		case 7:
			return syncproto.StringValue(text())
		case 8:
			return syncproto.BytesValue([]byte(text()))
		}
		if depth == 0 || len(script) == 0 {
			return syncproto.Value{}
		}
		if c&15 < 12 {
			list := make([]syncproto.Value, n)
			for i := range list {
				list[i] = value(depth - 1)
			}
			return syncproto.ListValue(list...)
		}
		fields := make([]syncproto.Field, n)
		for i := range fields {
			name := text()
			fields[i] = syncproto.Field{Name: name, Value: value(depth - 1)}
		}
		return syncproto.MapValue(fields...)
	}
	return value(12)
}

// FuzzCodecsEncode is TestCodecsRefuseAlike with values that the fuzzer finds.
func FuzzCodecsEncode(f *testing.F) {
	for _, s := range []string{"", "\x07\x02ab", "\x3d\x01a\x00\x01b\x01\x01a\x02", "\x1d\x01$\x00", "\x1d\x01\xff\x00",
		strings.Repeat("\x19", 20), "\x28\x02\x00\xff", "\xf3\x80", "\xf6\xff", "\x2a\x00\x2d\x00\x00\x01x\x01"} {
		f.Add([]byte(s))
	}
	all := codecs()
	f.Fuzz(func(t *testing.T, script []byte) { checkAlike(t, all, scribble(script), syncproto.Limits{Depth: 8}) })
}

// FuzzCodecsDecode gives the same bytes to every codec. If one accepts them, all must be able to encode the value, and
// decoding a Call without an intermediate Value must yield the same.
func FuzzCodecsDecode(f *testing.F) {
	all := codecs()
	for _, v := range []syncproto.Value{
		{}, syncproto.IntValue(-33), syncproto.ListValue(syncproto.StringValue("\u00e9\n"),
			syncproto.BytesValue([]byte{0xff})),
		syncproto.MapValue(syncproto.Field{Name: "name", Value: syncproto.StringValue("ready")},
			syncproto.Field{Name: "arg"}),
		syncproto.MapValue(syncproto.Field{Name: "arg", Value: syncproto.MapValue(syncproto.Field{Name: "",
			Value: syncproto.ListValue()})}, syncproto.Field{Name: "name", Value: syncproto.StringValue("run")}),
	} {
		for _, c := range all {
			b, err := c.Append(nil, v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	for _, s := range []string{"\xdd\xff\xff\xff\x0f", "\x9a\xff\xff\xff\x0f", "\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
		`{"name":"a","name":"b","arg":null}`, "\xa2\x61a\x01\x61a\x01", "\xf7", "\xf9\x3c\x00", "\xc1\x00", "\x9f\xff",
		"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "\x18\x01",
		"\x82\xa4name\xa5ready\xa4name\xc0", "\x82\xa4name\xa0\xa3arg\xc0", "\x82\xa4name\xa5ready\xa3arg\x90"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range all {
			v, ok := codectest.CheckDecoded(t, c, b)
			if ok {
				checkAlike(t, all, v, syncproto.Limits{})
			}
			sameCall(t, c, b, v, ok)
		}
	})
}

// sameCall compares decoding a Call directly with decoding it by way of a Value.
func sameCall(t *testing.T, c codec.Codec, b []byte, v syncproto.Value, ok bool) {
	t.Helper()
	var want, got syncproto.Call
	isCall := ok && syncproto.FromValue(v, &want, false) == nil
	err := codec.DecodeKnown(c, b, &got, syncproto.Limits{}, false, anyName{})
	if (err == nil) != isCall || isCall && (got.Name != want.Name || !got.Arg.Equal(want.Arg)) {
		t.Fatalf("%q is the call %+v (%v), and decoded at once %+v (%v)", b, want, isCall, got, err)
	}
}

// anyName knows every name.
type anyName struct{}

func (anyName) Known(name []byte) string { return string(name) }
