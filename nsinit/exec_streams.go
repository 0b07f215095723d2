package nsinit

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// streamsStep replaces standard streams by descriptors that came with CONFIG. places are their positions there, counted
// from one; zero keeps the stream that the child was made with.
type streamsStep struct{ places [3]int }

func (streamsStep) stage() stage { return stageStreams }

func (s streamsStep) detail() string {
	return fmt.Sprintf("stdin=%d stdout=%d stderr=%d", s.places[0], s.places[1], s.places[2])
}

func (s streamsStep) do(c *child) error {
	for fd, place := range s.places {
		if place == 0 {
			continue
		}
		if err := unix.Dup3(c.fds[place-1], fd, 0); err != nil {
			return op("dup3", "", err)
		}
	}
	return nil
}
