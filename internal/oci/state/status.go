package state

// The statuses in runtime.md, and Paused, which every runtime adds.
const (
	Creating = "creating"
	Created  = "created"
	Running  = "running"
	Paused   = "paused"
	Stopped  = "stopped"
)

// Facts are what the kernel knows about a container at one moment.
type Facts struct {
	Creating bool // the state says that create has not finished
	Locked   bool // another descriptor holds the lock
	Alive    bool // the process exists, is the one that was started, and is not a zombie
	Gate     bool // the start gate's socket exists
	Frozen   bool // the cgroup is frozen
}

// Status derives the status from the facts. An unfinished create without a lock holder was killed. Its remains
// count as stopped, so that they can be deleted.
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
