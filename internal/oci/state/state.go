package state

import (
	"encoding/json"
	"time"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/rdt"
	"github.com/handfast/handfast/syncproto/container"
)

// State is state.json: what later calls of the runtime must know of a container.
type State struct {
	OCIVersion  string            `json:"ociVersion"` // the configuration's
	ID          string            `json:"id"`
	Bundle      string            `json:"bundle"` // absolute paths
	Rootfs      string            `json:"rootfs"`
	Created     time.Time         `json:"created"` // UTC
	Owner       string            `json:"owner"`   // user name of who created it, see UserName
	Annotations map[string]string `json:"annotations,omitempty"`

	Creating bool `json:"creating,omitempty"` // set before anything is made, cleared before the container may run
	PID      int  `json:"pid,omitempty"`      // of the container's first process; zero before there is one
	// of that process, as ProcessStart gives it: a pid alone may come to mean another process
	StartTime uint64 `json:"startTime,omitempty"`
	// path of the start gate's socket, which is there until start; empty: run without a gate
	Gate string `json:"gate,omitempty"`
	// id of the mount that Rootfs is on, if the container mounts on the host, on top of it; zero: it does not
	BelowRootfs uint64 `json:"belowRootfs,omitempty"`
	Console     bool   `json:"console,omitempty"` // the process has a terminal
	// SharedPID: the container has no pid namespace of its own, so what its first process leaves behind lives on.
	SharedPID bool   `json:"sharedPID,omitempty"`
	Keyring   string `json:"keyring,omitempty"` // name of the session keyring of its processes; empty: the caller's
	// the configuration has no process: it can be created and deleted, not started
	NoProcess bool `json:"noProcess,omitempty"`

	// below the root of every hierarchy; empty while, or where, the container has no group of its own
	CgroupPath string `json:"cgroupPath,omitempty"`
	// how many of the path's last components create made; delete removes these and no others
	CgroupMade int `json:"cgroupMade,omitempty"`

	// CgroupIntent is what create is about to make, stored before the first directory is; nil from when CgroupPath is
	// stored.
	CgroupIntent *cgroupfs.Intent `json:"cgroupIntent,omitempty"`

	// the systemd unit that holds the group; empty: systemd has nothing to do with it
	Unit      string `json:"unit,omitempty"`
	UnitSlice string `json:"unitSlice,omitempty"` // the slice that it is in
	// the group below the unit's own that the container's processes are in; empty: they are in the unit's
	UnitSub  string `json:"unitSub,omitempty"`
	UnitUser bool   `json:"unitUser,omitempty"` // the unit is one of the user's own systemd

	// of the configuration as it was when the container was made: what exec starts from
	Process json.RawMessage `json:"process,omitempty"`

	Shared *Shared `json:"shared,omitempty"` // nil: nothing of it

	// SeccompFilter or SeccompListener: the filter stands in the file FilterFile beside this one
	Seccomp string `json:"seccomp,omitempty"`

	// the group's limits, for update to lay others over (EncodeResources); nothing where there is no group or none was
	// set
	Resources json.RawMessage `json:"resources,omitempty"`

	RDT *rdt.Saved `json:"rdt,omitempty"` // class of cache and memory bandwidth; nil: that of the runtime

	AddedMounts []AddedMount `json:"addedMounts,omitempty"` // that it was given later, in their order

	Poststart []container.Hook `json:"poststart,omitempty"`
	Poststop  []container.Hook `json:"poststop,omitempty"`
}

// Shared is what the container's configuration says of all of its processes, those that join it included.
type Shared struct {
	Personality  *uint64                 `json:"personality,omitempty"`
	MemoryPolicy *container.MemoryPolicy `json:"memoryPolicy,omitempty"`
	Landlock     *container.Landlock     `json:"landlock,omitempty"`
	// CoreScheduling: they share a core with no others' at a time, for they have a cookie of their own.
	CoreScheduling bool `json:"coreScheduling,omitempty"`
}

// Share is what p has of this; nil for nothing.
func Share(p *container.Process, coreScheduling bool) *Shared {
	s := Shared{
		Personality: p.Personality, MemoryPolicy: p.MemoryPolicy, Landlock: p.Landlock, CoreScheduling: coreScheduling,
	}
	if s == (Shared{}) {
		return nil
	}
	return &s
}

// Give is the opposite of Share.
func (s *Shared) Give(p *container.Process) {
	if s != nil {
		p.Personality, p.MemoryPolicy, p.Landlock = s.Personality, s.MemoryPolicy, s.Landlock
	}
}

// AddedMount is a mount that a running container was given.
type AddedMount struct {
	Destination string `json:"destination"`
	// Mount is its id (STATX_MNT_ID of statx(2)): the container can have the path lead elsewhere by the time it is
	// removed. Zero: it is about to be mounted.
	Mount uint64 `json:"mount,omitempty"`
}

// OCI is the output of the command state, field by field as runc gives it (runtime.md "State" and four more).
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

// Hook is what a hook gets on its standard input: runtime.md "State" and nothing more.
type Hook struct {
	OCIVersion  string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Status      string            `json:"status"`
	PID         int               `json:"pid,omitempty"`
	Bundle      string            `json:"bundle"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// OCI is the state as the command state prints it, in the given status.
func (s *State) OCI(status string) OCI {
	return OCI{
		OCIVersion: s.OCIVersion, ID: s.ID, PID: s.livePID(status), Status: status, Bundle: s.Bundle, Rootfs: s.Rootfs,
		Created: s.Created, Owner: s.Owner, Annotations: s.Annotations,
	}
}

// Hook is the state as hooks get it, in the given status.
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
