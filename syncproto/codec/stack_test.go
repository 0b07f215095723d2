package codec_test

import (
	"testing"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

//go:noinline
func bindOnTheStack(b []byte) (r syncproto.Report, err error) {
	err = codec.Decode(codec.JSON(), b, &r, syncproto.Limits{}, true)
	return r, err
}

//go:noinline
func deeper(n int, b []byte) (r syncproto.Report, err error) {
	var pad [64]byte
	if n == 0 {
		return bindOnTheStack(b)
	}
	r, err = deeper(n-1, b)
	pad[n%64]++
	return r, err
}

// The value may be on a stack that moves while it is decoded.
func TestBindingOnAStackThatMoves(t *testing.T) {
	b := []byte(`{"code":"setup","role":"child","nodes":[{"type":"path","op":"open","path":"/bin/sh"},` +
		`{"parent":1,"type":"errno","errno":"ENOENT"}]}`)
	for n := range 300 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			r, err := deeper(n, b)
			if err != nil || len(r.Nodes) != 2 || r.Nodes[0] != (syncproto.ReportNode{Type: "path", Op: "open",
				Path: "/bin/sh"}) ||
				r.Nodes[1] != (syncproto.ReportNode{Parent: 1, Type: "errno", Errno: "ENOENT"}) {
				t.Errorf("%d frames deep: %d nodes, %v", n, len(r.Nodes), err)
			}
		}()
		<-done
	}
}
