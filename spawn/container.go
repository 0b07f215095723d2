package spawn

import (
	"github.com/handfast/handfast/syncproto/container"
)

// Container is what the child shall make of itself: the part of CONFIG that is the caller's to decide. Start adds what
// only it can know. Paths are absolute and resolved, names are numbers; the fields mean what those of the same name in
// container.Config do, and a zero one is nothing of its kind.
type Container struct {
	ID         string // the container's name, also in logs of the conversation
	Hostname   string // sethostname(2), in a UTS namespace; empty: left as it is
	Domainname string // setdomainname(2), in a UTS namespace; empty: left as it is
	Root       container.Root
	Mounts     []container.Mount    // in their order; they need a mount namespace, as the four below do
	Devices    []container.Device   // made after the mounts
	Masked     []string             // paths inside the container that are made unreadable
	Readonly   []string             // paths inside the container that are made read-only
	Sysctl     []container.KeyValue // kernel parameters, written below /proc/sys
	Process    container.Process
	Hooks      container.Hooks
	MountLabel string // SELinux label of the files in every new file system, where SELinux is in force; empty: none
	State      string // the OCI state as JSON, for the hooks that the child runs
}

// told is CONFIG as far as the container says it.
func (c *Container) told() container.Config {
	return container.Config{
		ID: c.ID, Hostname: c.Hostname, Domainname: c.Domainname, Root: c.Root, Mounts: c.Mounts, Devices: c.Devices,
		Masked: c.Masked, Readonly: c.Readonly, Sysctl: c.Sysctl, Process: c.Process, Hooks: c.Hooks,
		MountLabel: c.MountLabel, State: c.State,
	}
}
