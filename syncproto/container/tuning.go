package container

// Scheduler is how the kernel schedules the program, sched_setattr(2): struct sched_attr without its utilisation
// clamps. The child applies it itself. If it may not, because its user namespace grants it no such right, its parent
// applies it from outside before the reply "run".
type Scheduler struct {
	// SCHED_* of <linux/sched.h>: 0 other, 1 fifo, 2 rr, 3 batch, 5 idle, 6 deadline
	Policy   uint32 `sync:"policy"`
	Flags    uint64 `sync:"flags,omitempty"`    // SCHED_FLAG_* of <linux/sched.h>
	Nice     int32  `sync:"nice,omitempty"`     // -20 to 19, for policies other, batch and idle
	Priority uint32 `sync:"priority,omitempty"` // 1 to 99, for fifo and rr
	Runtime  uint64 `sync:"runtime,omitempty"`  // nanoseconds, for deadline, as the two below
	Deadline uint64 `sync:"deadline,omitempty"`
	Period   uint64 `sync:"period,omitempty"`
}

// MemoryPolicy says from which nodes of a NUMA machine the program gets its memory, set_mempolicy(2).
type MemoryPolicy struct {
	Mode  uint32   `sync:"mode"`            // MPOL_* of <linux/mempolicy.h>
	Flags uint32   `sync:"flags,omitempty"` // MPOL_F_* of <linux/mempolicy.h> that go with a mode
	Nodes []uint32 `sync:"nodes,omitempty"` // numbers of nodes, each below 1024
}
