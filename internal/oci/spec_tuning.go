package oci

// Scheduler is config.md's process.scheduler: its members are those of struct sched_attr, sched_setattr(2).
type Scheduler struct {
	Policy   string   `json:"policy"`
	Nice     int      `json:"nice,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Flags    []string `json:"flags,omitempty"`
	Runtime  uint64   `json:"runtime,omitempty"` // nanoseconds
	Deadline uint64   `json:"deadline,omitempty"`
	Period   uint64   `json:"period,omitempty"`
}

// IOPriority is config.md's process.ioPriority, ioprio_set(2).
type IOPriority struct {
	Class    string `json:"class"`
	Priority int    `json:"priority,omitempty"`
}

// CPUAffinity is config.md's process.execCPUAffinity: lists of processors such as 0-3,7.
type CPUAffinity struct {
	Initial string `json:"initial,omitempty"`
	Final   string `json:"final,omitempty"`
}

// Personality is config-linux.md's linux.personality.
type Personality struct {
	Domain string   `json:"domain"`
	Flags  []string `json:"flags,omitempty"`
}

// MemoryPolicy is config-linux.md's linux.memoryPolicy, set_mempolicy(2). Nodes is a list such as 0-3,7.
type MemoryPolicy struct {
	Mode  string   `json:"mode"`
	Nodes string   `json:"nodes,omitempty"`
	Flags []string `json:"flags,omitempty"`
}
