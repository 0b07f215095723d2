// Package early calls stack.Grow and sysmon.Relax during the initialisation of a program that imports it, which is a
// good part of a short command's time. A library must not import it, because it changes the process.
package early

import (
	"github.com/handfast/handfast/internal/stack"
	"github.com/handfast/handfast/internal/sysmon"
)

func init() {
	stack.Grow()
	sysmon.Relax()
}
