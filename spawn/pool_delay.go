package spawn

import "time"

const (
	firstDelay = 50 * time.Millisecond
	mostDelay  = 10 * time.Second
)

// delay returns how long a pool waits before it makes the next member, after this many members in a row could not be
// made, or ended by themselves.
func delay(failures int) time.Duration {
	if failures <= 0 {
		return 0
	}
	d := firstDelay
	for range failures - 1 {
		if d *= 2; d >= mostDelay {
			return mostDelay
		}
	}
	return d
}
