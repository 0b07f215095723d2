package state

// Values of State.Seccomp; empty is a container without a filter of system calls.
const (
	SeccompFilter   = "filter"   // its processes run under one
	SeccompListener = "listener" // and it hands calls to an agent
)

// FilterFile is the name of the file with the container's compiled filter, in the form of package filtercache.
const FilterFile = "filter"

// ContainerProcess is what the agent of a filter gets with its listener: the container process state of runtime-spec
// config-linux.md, in the order of its properties there.
type ContainerProcess struct {
	OCIVersion string   `json:"ociVersion"` // that this follows
	FDs        []string `json:"fds"`        // what the descriptors are that come with it, in their order
	PID        int      `json:"pid"`        // of the process that the filter is of, as the runtime sees it
	Metadata   string   `json:"metadata,omitempty"`
	State      Hook     `json:"state"` // of the container
}

// SeccompFD is the name of the listener in ContainerProcess.FDs.
const SeccompFD = "seccompFd"
