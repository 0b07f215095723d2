//go:build !linux || !amd64 || race || msan || asan

package smallchild

import "github.com/handfast/handfast/syncproto"

// Available reports whether this build has the small child.
const Available = false

// Image is nil: there is none.
func Image(*syncproto.Profile) []byte { return nil }
