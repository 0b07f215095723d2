package remote

import (
	"context"
	"os"
	"reflect"

	"github.com/handfast/handfast/syncproto"
)

// Coder is an error that names its own code. It is how an error of a user's own says which class it is of: where
// *StepError has
//
//	func (e *StepError) SyncCode() syncproto.Code { return syncproto.CodeSetup }
//
// the ERROR that reports it has the code "setup". *syncproto.ProtocolError and *Error are Coders. An empty code names
// none: what stands below the error in its tree is asked then.
type Coder interface {
	error
	SyncCode() syncproto.Code
}

// maxWalk is how many errors of a tree CodeOf and IsRemote look at: a tree may have a loop.
const maxWalk = 1024

// CodeOf is the code of the ERROR that reports err. It is the only judge of that: Report asks it, and so does whoever
// sends a report. In this order:
//
//  1. The first Coder that names a code, in the order of errors.As: an error before what it wraps, and of several
//     wrapped errors the first with all below it. So an error that wraps another decides, and what it wraps does only
//     where it is silent: a failed step is "setup", though the reason may be a *Error with a code of the peer's.
//  2. "cancelled" where context.Canceled is anywhere in the tree.
//  3. "timeout" where context.DeadlineExceeded or os.ErrDeadlineExceeded is.
//  4. "internal".
//
// Any error at all may be given: nil, a typed nil, a tree with a loop, one whose methods panic. At most 1,024 errors of
// a tree are looked at.
func CodeOf(err error) syncproto.Code {
	code, cancelled, late := syncproto.Code(""), false, false
	walk(err, func(e error) bool {
		code = ownCode(e)
		cancelled = cancelled || is(e, context.Canceled)
		late = late || is(e, context.DeadlineExceeded) || is(e, os.ErrDeadlineExceeded)
		return code == ""
	})
	switch {
	case code != "":
		return code
	case cancelled:
		return syncproto.CodeCancelled
	case late:
		return syncproto.CodeTimeout
	}
	return syncproto.CodeInternal
}

// SyncCode is the code that the peer gave its report.
func (e *Error) SyncCode() syncproto.Code {
	if e == nil {
		return ""
	}
	return e.Report.Code
}

// ownCode is what err says of itself; a typed nil whose method panics says nothing.
func ownCode(err error) (code syncproto.Code) {
	defer func() {
		if recover() != nil {
			code = ""
		}
	}()
	if c, ok := err.(Coder); ok {
		code = c.SyncCode()
	}
	return code
}

// is reports whether err itself, without what it wraps, is target.
func is(err, target error) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	if reflect.TypeOf(err).Comparable() && err == target {
		return true
	}
	e, ok := err.(interface{ Is(error) bool })
	return ok && e.Is(target)
}

// walk visits the errors of a tree in the order of errors.As until visit says that it has seen enough, or maxWalk of
// them were visited.
func walk(err error, visit func(error) bool) {
	left := maxWalk
	var step func(error) bool
	step = func(e error) bool {
		if e == nil {
			return true
		}
		if left--; left < 0 || !visit(e) {
			return false
		}
		kids, _ := unwrap(e)
		for _, kid := range kids {
			if !step(kid) {
				return false
			}
		}
		return true
	}
	step(err)
}
