package state

import (
	"encoding/json"
	"time"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/rdt"
	"github.com/handfast/handfast/syncproto/container"
)

// State is the content of state.json: what later runs of the runtime must know about a container.
type State struct {
	OCIVersion  string            `json:"ociVersion"` // the configuration's
	ID          string            `json:"id"`
	Bundle      string            `json:"bundle"` // absolute paths
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"` // UTC
	Owner       string            `json:"owner"`   // user name of the creator, see UserName
	Annotations map[string]string `json:"annotations,omitempty"`

	Creating bool `json:"creating,omitempty"` // set before anything is created, cleared before the container may run
	PID      int  `json:"pid,omitempty"`      // of the container's first process; zero until it exists
	// StartTime is that of the process, from ProcessStart. The pid alone could later belong to another process.
	StartTime uint64 `json:"startTime,omitempty"`
	// Gate is the path of the start gate's socket, which exists until start; empty: the container runs without a
	// gate.
	Gate string `json:"gate,omitempty"`
	// BelowRootfs is the id of the mount that contains Rootfs, if the container's mounts are made on the host on
	// top of it; zero: they are not.
	BelowRootfs uint64 `json:"belowRootfs,omitempty"`
	Console     bool   `json:"console,omitempty"` // the process has a terminal
	// Streams are the names of the process's standard streams from before anything was sent to it, as in
	// /proc/PID/fd: "pipe:[INODE]", "/dev/null". A checkpoint notes them, because the program may have changed them
	// since. Empty with a terminal.
	Streams []string `json:"streams,omitempty"`
	// Joined are the kinds of the namespaces that existed before the container and that its process was put into.
	Joined []string `json:"joined,omitempty"`
	// SharedPID reports that the container has no pid namespace of its own, so that processes can outlive its
	// first process.
	SharedPID bool   `json:"sharedPID,omitempty"`
	Keyring   string `json:"keyring,omitempty"` // name of its processes' session keyring; empty: the caller's
	// NoProcess reports that the configuration has no process: the container can be created and deleted, but not
	// started.
	NoProcess bool `json:"noProcess,omitempty"`

	// CgroupPath is relative to the root of every hierarchy; empty as long as the container has no group of its
	// own.
	CgroupPath string `json:"cgroupPath,omitempty"`
	// CgroupMade is the number of the path's last components that create made; delete removes only these.
	CgroupMade int `json:"cgroupMade,omitempty"`

	// CgroupIntent is what create is about to make. It is stored before the first directory is made, and is nil as
	// soon as CgroupPath is stored.
	CgroupIntent *cgroupfs.Intent `json:"cgroupIntent,omitempty"`

	// Unit is the systemd unit of the group; empty: systemd does not manage the group.
	Unit      string `json:"unit,omitempty"`
	UnitSlice string `json:"unitSlice,omitempty"` // the unit's slice
	// UnitSub is the group below the unit's own that contains the container's processes; empty: the unit's own
	// contains them.
	UnitSub  string `json:"unitSub,omitempty"`
	UnitUser bool   `json:"unitUser,omitempty"` // the unit belongs to the user's own systemd

	// Process is the process in the configuration at the time of creation; exec starts from it.
	Process json.RawMessage `json:"process,omitempty"`

	Shared *Shared `json:"shared,omitempty"` // nil: none of it is set

	// Seccomp is SeccompFilter or SeccompListener; the filter is in the file FilterFile next to this one.
	Seccomp string `json:"seccomp,omitempty"`

	// Resources are the group's limits, encoded by EncodeResources, to which update adds others; empty if there is
	// no group or no limit was set.
	Resources json.RawMessage `json:"resources,omitempty"`

	RDT *rdt.Saved `json:"rdt,omitempty"` // class for cache and memory bandwidth; nil: the runtime's

	AddedMounts []AddedMount `json:"addedMounts,omitempty"` // mounts added later, in order

	Poststart []container.Hook `json:"poststart,omitempty"`
	Poststop  []container.Hook `json:"poststop,omitempty"`
}

// Shared is the part of the configuration that applies to all of the container's processes, including those that
// join it.
type Shared struct {
	Personality  *uint64                 `json:"personality,omitempty"`
	MemoryPolicy *container.MemoryPolicy `json:"memoryPolicy,omitempty"`
	Landlock     *container.Landlock     `json:"landlock,omitempty"`
	// CoreScheduling reports that the processes have their own core scheduling cookie, so that they never share a
	// core with other processes at the same time.
	CoreScheduling bool `json:"coreScheduling,omitempty"`
}

// Share returns the shared part of p, or nil if it is empty.
func Share(p *container.Process, coreScheduling bool) *Shared {
	s := Shared{
		Personality: p.Personality, MemoryPolicy: p.MemoryPolicy, Landlock: p.Landlock, CoreScheduling: coreScheduling,
	}
	if s == (Shared{}) {
		return nil
	}
	return &s
}

// Give copies the shared part to p. It is the inverse of Share.
func (s *Shared) Give(p *container.Process) {
	if s != nil {
		p.Personality, p.MemoryPolicy, p.Landlock = s.Personality, s.MemoryPolicy, s.Landlock
	}
}

// AddedMount is a mount that was added to a running container.
type AddedMount struct {
	Destination string `json:"destination"`
	// Mount is the id of the mount (STATX_MNT_ID in statx(2)), because the container can make the path lead
	// elsewhere before the mount is removed. Zero: it is about to be mounted.
	Mount uint64 `json:"mount,omitempty"`
}

// OCI is the output of the command state, with the same fields as runc's (runtime.md "State" and four more).
type OCI struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	PID         int               `json:"pid"` // 0 when stopped
	Status      string            `json:"status"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"`
	Owner       string            `json:"owner"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Hook is what a hook receives on its standard input: exactly runtime.md "State".
type Hook struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Status      string            `json:"status"`
	PID         int               `json:"pid,omitempty"`
	Bundle      string            `json:"bundle"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// OCI returns the state in the form that the command state prints, with the given status.
func (s *State) OCI(status string) OCI {
	return OCI{
		OCIVersion: s.OCIVersion, ID: s.ID, PID: s.livePID(status), Status: status, Bundle: s.Bundle, Rootfs: s.Rootfs,
		Created: s.Created, Owner: s.Owner, Annotations: s.Annotations,
	}
}

// Hook returns the state in the form that hooks receive, with the given status.
func (s *State) Hook(status string) Hook {
	return Hook{OCIVersion: s.OCIVersion, ID: s.ID, Status: status, PID: s.livePID(status), Bundle: s.Bundle,
		Annotations: s.Annotations}
}

func (s *State) livePID(status string) int {
	if status == Stopped {
		return 0
	}
	return s.PID
}
