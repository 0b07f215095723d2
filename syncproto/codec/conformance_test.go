package codec_test

import (
	"testing"

	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/codec/codectest"
)

func TestConformance(t *testing.T) {
	for _, c := range []codec.Codec{codec.JSON(), codec.MessagePack()} {
		t.Run(c.Name(), func(t *testing.T) { codectest.Run(t, c) })
	}
}
