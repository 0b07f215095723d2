package spawn

import (
	"github.com/handfast/handfast/syncproto/container"
)

// Container is what the child sets up: the part of CONFIG that the caller decides. Start adds the rest. Paths are
// absolute and resolved, and users and groups are numbers. The fields have the meaning of those of the same name in
// container.Config, and a zero field requests nothing.
type Container struct {
	ID         string // the container's name, also in logs of the conversation
	Hostname   string // sethostname(2), in a UTS namespace; empty: left as it is
	Domainname string // setdomainname(2), in a UTS namespace; empty: left as it is
	Root       container.Root
	Mounts     []container.Mount    // in their order; as the four below they need a mount namespace, or Root.OnHost
	Devices    []container.Device   // made after the mounts
	Masked     []string             // paths inside the container that are made unreadable
	Readonly   []string             // paths inside the container that are made read-only
	Sysctl     []container.KeyValue // kernel parameters, written below /proc/sys
	Process    container.Process
	Hooks      container.Hooks
	MountLabel string // SELinux label of the files in every new file system, where SELinux is in force; empty: none
	State      string // the OCI state as JSON, for the hooks that the child runs
}

// containerConfig returns the part of CONFIG that the Container decides.
func (c *Container) containerConfig() container.Config {
	return container.Config{
		ID: c.ID, Hostname: c.Hostname, Domainname: c.Domainname, Root: c.Root, Mounts: c.Mounts, Devices: c.Devices,
		Masked: c.Masked, Readonly: c.Readonly, Sysctl: c.Sysctl, Process: c.Process, Hooks: c.Hooks,
		MountLabel: c.MountLabel, State: c.State,
	}
}
