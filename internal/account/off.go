//go:build !handfast_account

package account

import "github.com/handfast/handfast/syncproto/transport"

// End marks the end of a phase.
func End(string) {}

// Trace adds marks of what the peer sends to a function for transport.Options.Trace, which may be nil.
func Trace(next func(transport.Event)) func(transport.Event) { return next }

// Write writes the marks to their file, a JSON array.
func Write() {}
