package state

// Values of State.Seccomp. It is empty for a container without a system call filter.
const (
	SeccompFilter   = "filter"   // its processes run under a filter
	SeccompListener = "listener" // the filter also passes system calls to an agent
)

// FilterFile is the name of the file that contains the container's compiled filter, in the format of package
// filtercache.
const FilterFile = "filter"

// ContainerProcess is what a filter's agent receives together with the listener: the container process state in
// runtime-spec config-linux.md, with the properties in the same order.
type ContainerProcess struct {
	OCIVersion string   `json:"ociVersion"` // the version that this follows
	FDs        []string `json:"fds"`        // names of the descriptors that are sent with it, in order
	PID        int      `json:"pid"`        // of the process with the filter, as the runtime sees it
	Metadata   string   `json:"metadata,omitempty"`
	State      Hook     `json:"state"` // of the container
}

// SeccompFD is the name of the listener in ContainerProcess.FDs.
const SeccompFD = "seccompFd"
