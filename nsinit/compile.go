package nsinit

import (
	"errors"
	"fmt"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

// ErrWhole says that a configuration needs a whole child, because it cannot be compiled to a program for the small
// child.
var ErrWhole = errors.New("it needs a whole child")

var errNoSmall = fmt.Errorf("this architecture, or this build, has no small child: %w", ErrWhole)

// Compile makes the program with which the small child (package smallchild) carries out a configuration. It is the
// plan that a whole child follows, as system calls. profile is the name of the conversation's profile, "init" or
// "setns".
//
// Compile changes nothing, and its result depends only on the arguments and on the timer slack that this process
// passes on. If part of the configuration cannot be expressed as a program, the error is ErrWhole and says which
// part. A configuration that no child could carry out is an error, too; a whole child reports it.
func Compile(profile string, cfg *container.Config) (*smallchild.Program, error) {
	return compile(profile, cfg)
}
