package oci

import (
	"slices"
)

// Features describes what a runtime can do, in the form that engines read: runtime-spec features.md and
// features-linux.md. Except for Seccomp.SupportedFlags, it describes the program and not the host that it runs on.
type Features struct {
	OCIVersionMin string            `json:"ociVersionMin,omitempty"`
	OCIVersionMax string            `json:"ociVersionMax,omitempty"`
	Hooks         []string          `json:"hooks,omitempty"`
	MountOptions  []string          `json:"mountOptions,omitempty"`
	Linux         *LinuxFeatures    `json:"linux,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
	// Unsafe lists annotations in a configuration whose effects reach beyond the container. A name that ends in a
	// dot is a prefix.
	Unsafe []string `json:"potentiallyUnsafeConfigAnnotations,omitempty"`
}

// LinuxFeatures is the Linux part of Features.
type LinuxFeatures struct {
	Namespaces      []string         `json:"namespaces,omitempty"`
	Capabilities    []string         `json:"capabilities,omitempty"`
	Cgroup          *CgroupFeatures  `json:"cgroup,omitempty"`
	Seccomp         *SeccompFeatures `json:"seccomp,omitempty"`
	Apparmor        *Enabled         `json:"apparmor,omitempty"`
	Selinux         *Enabled         `json:"selinux,omitempty"`
	IntelRdt        *RdtFeatures     `json:"intelRdt,omitempty"`
	MemoryPolicy    *MemoryPolicies  `json:"memoryPolicy,omitempty"`
	MountExtensions *MountExtensions `json:"mountExtensions,omitempty"`
	NetDevices      *Enabled         `json:"netDevices,omitempty"`
}

// Enabled reports whether a feature is available.
type Enabled struct {
	Enabled bool `json:"enabled"`
}

// CgroupFeatures reports which cgroup versions are supported, and what can create the groups.
type CgroupFeatures struct {
	V1          bool `json:"v1"`
	V2          bool `json:"v2"`
	Systemd     bool `json:"systemd"`
	SystemdUser bool `json:"systemdUser"`
	Rdma        bool `json:"rdma"`
}

// SeccompFeatures lists the names that linux.seccomp may use.
type SeccompFeatures struct {
	Enabled        bool     `json:"enabled"`
	Actions        []string `json:"actions,omitempty"`
	Operators      []string `json:"operators,omitempty"`
	Archs          []string `json:"archs,omitempty"`
	KnownFlags     []string `json:"knownFlags,omitempty"`
	SupportedFlags []string `json:"supportedFlags,omitempty"` // by this kernel
}

// RdtFeatures reports which members of linux.intelRdt are supported.
type RdtFeatures struct {
	Enabled    bool `json:"enabled"`
	Schemata   bool `json:"schemata"`
	Monitoring bool `json:"monitoring"`
}

// MemoryPolicies lists the names that linux.memoryPolicy may use.
type MemoryPolicies struct {
	Modes []string `json:"modes,omitempty"`
	Flags []string `json:"flags,omitempty"`
}

// MountExtensions reports which mount features beyond mount(2) are supported.
type MountExtensions struct {
	IDMap *Enabled `json:"idmap,omitempty"`
}

// KnownFeatures returns what Plan supports. Where Plan uses a table, the result is made from the same table. The
// caller adds Seccomp and the annotations.
func KnownFeatures() *Features {
	f := &Features{
		OCIVersionMin: "1.0.0", OCIVersionMax: Version,
		MountOptions: knownMountOptions(),
		Linux: &LinuxFeatures{
			Namespaces: slices.Clone(namespaceTypes),
			Cgroup:     &CgroupFeatures{V1: true, V2: true, Systemd: true, SystemdUser: true, Rdma: true},
			Apparmor:   &Enabled{true}, Selinux: &Enabled{true},
			IntelRdt:        &RdtFeatures{Enabled: true, Schemata: true, Monitoring: true},
			MemoryPolicy:    &MemoryPolicies{Modes: memoryModes.names(), Flags: memoryFlags.names()},
			MountExtensions: &MountExtensions{IDMap: &Enabled{true}},
			NetDevices:      &Enabled{true},
		},
	}
	for _, list := range hookLists {
		f.Hooks = append(f.Hooks, list.name)
	}
	for _, name := range capabilityNames {
		f.Linux.Capabilities = append(f.Linux.Capabilities, "CAP_"+name)
	}
	return f
}

// otherOptions are the mount options that are in no table, but only in planner.mount and planner.option.
var otherOptions = []string{"bind", "rbind", "defaults", "remount", "tmpcopyup", "idmap", "ridmap", copyLink}

func knownMountOptions() []string {
	var all []string
	for _, a := range attrs {
		all = append(all, a.name, "r"+a.name)
	}
	for _, p := range propagations {
		all = append(all, p.name)
	}
	for _, f := range superblockFlags {
		all = append(all, f.option)
	}
	all = append(all, otherOptions...)
	slices.Sort(all)
	return all
}
