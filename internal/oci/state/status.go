package state

// The statuses of runtime.md, and Paused, which every runtime adds to them.
const (
	Creating = "creating"
	Created  = "created"
	Running  = "running"
	Paused   = "paused"
	Stopped  = "stopped"
)

// Facts are what the kernel says of a container at one moment.
type Facts struct {
	Creating bool // the state says that a create has not finished
	Locked   bool // somebody holds the lock
	Alive    bool // the process exists, is the one that was started, and is no zombie
	Gate     bool // the start gate's socket is there
	Frozen   bool // the control group is frozen
}

// Status decides what to call it. A create that is not finished and that nobody holds was killed: what is left of it is
// stopped, so that it can be deleted.
func (f Facts) Status() string {
	switch {
	case f.Creating && f.Locked:
		return Creating
	case f.Creating || !f.Alive:
		return Stopped
	case f.Frozen:
		return Paused
	case f.Gate:
		return Created
	}
	return Running
}
