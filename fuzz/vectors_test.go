package fuzz

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
	"github.com/handfast/handfast/syncproto/vectors"
)

// seeds adds the bytes of every vector of a kind, and fails if there are fewer than least.
func seeds(f *testing.F, kind vectors.Kind, least int) {
	f.Helper()
	list, err := vectors.Of(kind)
	if err != nil || len(list) < least {
		f.Fatalf("%d vectors of the kind %s, want %d and more: %v", len(list), kind, least, err)
	}
	for _, v := range list {
		f.Add(v.Data, v.Codec == "json")
	}
	f.Logf("%d seeds", len(list))
}

func oneCodec(json bool) []codec.Codec {
	if json {
		return []codec.Codec{codec.JSON()}
	}
	return []codec.Codec{codec.MessagePack()}
}

// FuzzParentStream: whatever bytes a child writes to a stream before it ends, its parent has a verdict, and success
// takes EXEC.
func FuzzParentStream(f *testing.F) {
	seeds(f, vectors.KindParent, 100)
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		c, fd := rawPair(t, false)
		p, err := transport.NewParent(c, container.InitProfile(),
			transport.Options{Codecs: oneCodec(json), Deadlines: veryShort})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_ = unix.Sendto(fd, data, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
		_ = unix.Shutdown(fd, unix.SHUT_WR)
		defer unix.Close(fd)
		err = p.Open(t.Context(), syncproto.MapValue(syncproto.Field{Name: "id",
			Value: syncproto.StringValue("conformance")}), nil)
		for err == nil {
			var req *transport.Request
			if req, err = p.Next(t.Context()); err == nil {
				transport.CloseAll(req.FDs)
				if err = p.Reply(t.Context(), syncproto.Value{}); err != nil {
					err = p.Abort(t.Context(), err) // a row may want a descriptor with its reply
				}
			}
		}
		var failure *transport.Failure
		if err != io.EOF && (!errors.As(err, &failure) || failure.Error() == "" || failure.Outcome <= syncproto.Success) {
			t.Fatalf("no verdict: %v", err)
		}
	})
}

// FuzzChildStream: whatever bytes a parent writes to a stream before it ends, its child ends, and goes on only after
// "run".
func FuzzChildStream(f *testing.F) {
	seeds(f, vectors.KindChild, 100)
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		c, fd := rawPair(t, false)
		p, err := transport.NewChild(c, container.InitProfile(),
			transport.Options{Codecs: oneCodec(json), Deadlines: veryShort})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_ = unix.Sendto(fd, data, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
		_ = unix.Shutdown(fd, unix.SHUT_WR)
		defer unix.Close(fd)
		_, fds, err := p.Accept(t.Context())
		transport.CloseAll(fds)
		if err == nil {
			err = p.Confirm(t.Context())
		}
		if err == nil {
			_, fds, err = p.Call(t.Context(), "ready", syncproto.Value{})
			transport.CloseAll(fds)
		}
		if err == nil && p.Verdict().Phase != "released" {
			t.Fatalf("went on in %+v", p.Verdict())
		}
		if err != nil {
			_ = p.Fail(t.Context(), err)
		}
	})
}
