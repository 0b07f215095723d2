package nsinit

import (
	"strings"
	"testing"

	"github.com/handfast/handfast/syncproto/container"
)

// A configuration that speaks of a descriptor that did not arrive is refused with the name of its field.
func TestDescriptorsMustArrive(t *testing.T) {
	for name, at := range map[string]func(c *container.Config) *int{
		"gateFD":         func(c *container.Config) *int { return &c.GateFD },
		"hooks.stdoutFD": func(c *container.Config) *int { return &c.Hooks.StdoutFD },
		"hooks.stderrFD": func(c *container.Config) *int { return &c.Hooks.StderrFD },
		"stdinFD":        func(c *container.Config) *int { return &c.StdinFD },
		"stdoutFD":       func(c *container.Config) *int { return &c.StdoutFD },
		"stderrFD":       func(c *container.Config) *int { return &c.StderrFD },
		"namespaces": func(c *container.Config) *int {
			c.Namespaces = []container.Namespace{{Kind: container.NSMount, How: container.NSJoin}}
			return &c.Namespaces[0].FD
		},
	} {
		for place, fits := range map[int]bool{-1: false, 1: true, 2: true, 3: false} {
			c := &child{fds: []int{10, 11}}
			*at(&c.cfg) = place
			err := c.checkFDs()
			if fits && err != nil || !fits && (err == nil || !strings.HasPrefix(err.Error(), name)) {
				t.Errorf("%s at %d of 2: %v", name, place, err)
			}
		}
	}
}
