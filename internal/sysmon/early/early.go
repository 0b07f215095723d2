// Package early calls stack.Grow and sysmon.Relax when a program that imports it initialises its packages, which is a
// good part of a short command. A library must not import it: it changes the process.
package early

import (
	"github.com/handfast/handfast/internal/stack"
	"github.com/handfast/handfast/internal/sysmon"
)

func init() {
	stack.Grow()
	sysmon.Relax()
}
