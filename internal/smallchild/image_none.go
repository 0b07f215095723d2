//go:build !linux || !(amd64 || arm64) || race || msan || asan || handfast_nofork

package smallchild

import "github.com/handfast/handfast/syncproto"

// Available reports whether this build has the small child.
const Available = false

// Image returns nil: this build has no small child.
func Image(*syncproto.Profile) []byte { return nil }
