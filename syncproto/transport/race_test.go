package transport_test

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transport"
)

// If a peer sends its last word and ends at once, a reader that does not block must read the word before the end,
// however they race.
func TestTheLastPacketIsNotOvertakenByTheEnd(t *testing.T) {
	for range 5000 {
		c, fd := rawPair(t)
		go func() {
			h := syncproto.Header{Kind: syncproto.KindError, Seq: 1}
			_, _ = unix.Write(fd, h.Append(nil))
			_ = unix.Close(fd)
		}()
		h, _, _, err := c.ReadFrame(all)
		if err != nil || h.Kind != syncproto.KindError {
			t.Fatalf("%v, %v", h.Kind, err)
		}
		if _, _, _, err := c.ReadFrame(all); err != io.EOF {
			t.Fatal(err)
		}
		_ = c.Close()
	}
}

func rawPair(t *testing.T) (*transport.Conn, int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := transport.Take(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	return c, fds[1]
}
