package oci

// Scheduler is process.scheduler in config.md. Its members are those of struct sched_attr in sched_setattr(2).
type Scheduler struct {
	Policy   string   `json:"policy"`
	Nice     int      `json:"nice,omitempty"`
	Priority int      `json:"priority,omitempty"`
	Flags    []string `json:"flags,omitempty"`
	Runtime  uint64   `json:"runtime,omitempty"` // nanoseconds
	Deadline uint64   `json:"deadline,omitempty"`
	Period   uint64   `json:"period,omitempty"`
}

// IOPriority is process.ioPriority in config.md; see ioprio_set(2).
type IOPriority struct {
	Class    string `json:"class"`
	Priority int    `json:"priority,omitempty"`
}

// CPUAffinity is process.execCPUAffinity in config.md. Its members are lists of processors such as 0-3,7.
type CPUAffinity struct {
	Initial string `json:"initial,omitempty"`
	Final   string `json:"final,omitempty"`
}

// Personality is linux.personality in config-linux.md.
type Personality struct {
	Domain string   `json:"domain"`
	Flags  []string `json:"flags,omitempty"`
}

// MemoryPolicy is linux.memoryPolicy in config-linux.md; see set_mempolicy(2). Nodes is a list such as 0-3,7.
type MemoryPolicy struct {
	Mode  string   `json:"mode"`
	Nodes string   `json:"nodes,omitempty"`
	Flags []string `json:"flags,omitempty"`
}
