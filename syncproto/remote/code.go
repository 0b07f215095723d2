package remote

import (
	"context"
	"os"
	"reflect"

	"github.com/handfast/handfast/syncproto"
)

// Coder is an error that names its own code. An application's errors use it to state their class: if *StepError has
//
//	func (e *StepError) SyncCode() syncproto.Code { return syncproto.CodeSetup }
//
// the ERROR that reports it has the code "setup". *syncproto.ProtocolError and *Error are Coders. An empty code means
// none: the errors below it in the tree then decide.
type Coder interface {
	error
	SyncCode() syncproto.Code
}

// maxWalk is the maximum number of errors that CodeOf and IsRemote visit, because a tree may have a loop.
const maxWalk = 1024

// CodeOf returns the code of the ERROR that reports err. Report and everything that sends reports use it, so no other
// rule applies. It is, in this order:
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
		cancelled = cancelled || isTarget(e, context.Canceled)
		late = late || isTarget(e, context.DeadlineExceeded) || isTarget(e, os.ErrDeadlineExceeded)
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

// SyncCode returns the code of the peer's report.
func (e *Error) SyncCode() syncproto.Code {
	if e == nil {
		return ""
	}
	return e.Report.Code
}

// ownCode returns the code that err names itself; it is empty for a typed nil whose method panics.
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

// isTarget reports whether err itself, not counting what it wraps, is target.
func isTarget(err, target error) (yes bool) {
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

// walk visits the errors of a tree in the order of errors.As until visit stops it or maxWalk errors were visited.
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
