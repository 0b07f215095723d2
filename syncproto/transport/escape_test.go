package transport_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Whatever a peer sends, the text of the error is one line that no terminal obeys, whichever part of a message it comes
// from (docs/protocol.md, section 16).
func TestNoTextOfThePeerIsShownAsItIs(t *testing.T) {
	const evil, inJSON = "\x1b[31m\nroot: \u202e", `\u001b[31m\nroot: \u202e`
	check := func(what string, err error) {
		t.Helper()
		if err == nil || strings.ContainsAny(err.Error(), "\x1b\n\u202e") {
			t.Errorf("%s: %q", what, err)
		}
		if _, ok := errors.AsType[*transport.Failure](err); ok && !strings.Contains(err.Error(), `31m`) {
			t.Errorf("%s is not shown at all: %q", what, err)
		}
	}
	d := longDeadlines()
	for _, l := range eachLink {
		for _, payload := range []string{
			`{"name":"` + inJSON + `","arg":null}`,
			`{"name":"ready","arg":null,"` + inJSON + `":1}`,
			`{"name":"mount","arg":{"source":"/","` + inJSON + `":1}}`,
			`{"name":"mount","arg":"` + inJSON + `"}`,
			`{"` + inJSON + `":1,"` + inJSON + `":1}`,
		} {
			p := rawChild(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				r.opened()
				_ = r.send(syncproto.KindRequest, 0, payload)
				r.recv()
			})
			err := p.Open(t.Context(), syncproto.MapValue(), nil)
			if err == nil {
				var req *transport.Request
				if req, err = p.Next(t.Context()); err == nil {
					_, err = transport.Arg(t.Context(), p, req, container.MountRequest)
				}
			}
			check(payload, err)
		}
		for _, hello := range []string{
			`{"min":1,"max":1,"codecs":["json"],"profile":"` + inJSON + `","hash":"00","limits":{}}`,
			`{"min":1,"max":1,"codecs":["json"],"profile":"init","hash":"` + inJSON + `","limits":{}}`,
		} {
			c := rawParent(t, l, transport.Options{Deadlines: d}, func(r *rawPeer) {
				_ = r.send(syncproto.KindHello, 0, hello)
				r.recv()
			})
			_, _, err := c.Accept(t.Context())
			check(hello, err)
		}
		p, c := parties(t, l, d)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New(evil))
		go func() { _, _ = p.Next(ctx) }()
		_, _, err := c.Call(t.Context(), "ready", syncproto.Value{})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		check("CANCEL", err)
	}
}
