package oci

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/syncproto/container"
)

// TestTuning checks the values that are sent for properties that change how the kernel treats the process.
func TestTuning(t *testing.T) {
	for _, c := range []struct {
		patch string
		want  container.Process
	}{
		{`{"linux": {"personality": {"domain": "LINUX"}}}`, container.Process{Personality: new(uint64)}},
		{`{"linux": {"personality": {"domain": "LINUX32", "flags": ["X"]}}}`,
			container.Process{Personality: new(uint64(8))}},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_DEFAULT"}}}`,
			container.Process{MemoryPolicy: &container.MemoryPolicy{}}},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "2, 0-1", "flags": ["MPOL_F_STATIC_NODES"]}}}`,
			container.Process{MemoryPolicy: &container.MemoryPolicy{Mode: 3, Flags: 1 << 15, Nodes: []uint32{0, 1, 2}}}},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES"]}}}`,
			container.Process{MemoryPolicy: &container.MemoryPolicy{Mode: 2, Flags: 3 << 13, Nodes: []uint32{0}}}},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_PREFERRED"}}}`,
			container.Process{MemoryPolicy: &container.MemoryPolicy{Mode: 1}}},
		{`{"process": {"scheduler": {"policy": "SCHED_OTHER"}}}`, container.Process{Scheduler: &container.Scheduler{}}},
		{`{"process": {"scheduler": {"policy": "SCHED_BATCH", "nice": -3}}}`,
			container.Process{Scheduler: &container.Scheduler{Policy: 3, Nice: -3}}},
		{`{"process": {"scheduler": {"policy": "SCHED_RR", "priority": 99, "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_KEEP_PARAMS"]}}}`,
			container.Process{Scheduler: &container.Scheduler{Policy: 2, Priority: 99, Flags: 0x11}}},
		{`{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 2000}}}`,
			container.Process{Scheduler: &container.Scheduler{Policy: 6, Runtime: 1024, Deadline: 2000}}},
		{`{"process": {"ioPriority": {"class": "IOPRIO_CLASS_IDLE"}}}`, container.Process{IOPriority: 3 << 13}},
		{`{"process": {"ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 7}}}`,
			container.Process{IOPriority: 1<<13 | 7}},
		// It concerns only processes that join.
		{`{"process": {"execCPUAffinity": {"initial": "0-1", "final": "2"}}}`, container.Process{}},
	} {
		out := planOf(t, Options{}, c.patch)
		c.want.Args, c.want.Cwd = []string{"sh"}, "/"
		if diff := cmp.Diff(c.want, out.Spawn.Container.Process); diff != "" || out.Spawn.Affinity != nil {
			t.Errorf("%s (-want +got)\n%s%v", c.patch, diff, out.Spawn.Affinity)
		}
	}
	out := planOf(t, Options{}, `{"linux": {"personality": {"domain": "LINUX", "flags": ["A", "B"]}}}`)
	want := []string{"linux.personality.flags: A, B: the specification knows no flags; they have no effect"}
	if diff := cmp.Diff(want, out.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestWrongTuning(t *testing.T) {
	const policies = "SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE or SCHED_DEADLINE"
	const modes = "MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE, MPOL_WEIGHTED_INTERLEAVE, MPOL_PREFERRED, " +
		"MPOL_PREFERRED_MANY or MPOL_LOCAL"
	for _, c := range []struct{ patch, want string }{
		{`{"linux": {"personality": {}}}`,
			`linux.personality.domain: invalid personality domain ""; want LINUX or LINUX32`},
		{`{"linux": {"personality": {"domain": "LINUX64"}}}`,
			`linux.personality.domain: invalid personality domain "LINUX64"; want LINUX or LINUX32`},
		{`{"linux": {"memoryPolicy": {}}}`, `linux.memoryPolicy.mode: invalid memory policy mode ""; want ` + modes},
		{`{"linux": {"memoryPolicy": {"mode": "bind", "nodes": "0"}}}`,
			`linux.memoryPolicy.mode: invalid memory policy mode "bind"; want ` + modes},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "x"}}}`,
			`linux.memoryPolicy.nodes: "x"; want a list of numbers such as 0-3,7 (invalid memory policy node)`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "3-1"}}}`,
			`linux.memoryPolicy.nodes: "3-1"; want a list of numbers such as 0-3,7 (invalid memory policy node)`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "1024"}}}`,
			`linux.memoryPolicy.nodes: "1024": 1024 is beyond the highest that a kernel can have, 1023 (invalid memory policy node)`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND"}}}`,
			`linux.memoryPolicy.nodes: "": memory policy MPOL_BIND takes at least one node`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": "0"}}}`,
			`linux.memoryPolicy.nodes: "0": memory policy MPOL_LOCAL takes no nodes: mode requires 0 nodes but got 1`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_PREFERRED", "flags": ["MPOL_F_STATIC_NODES"]}}}`,
			`linux.memoryPolicy.flags: MPOL_F_STATIC_NODES: they are about nodes, and there are none`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}}}`,
			`linux.memoryPolicy.flags: MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}}}`,
			`linux.memoryPolicy.flags: MPOL_F_NUMA_BALANCING is for MPOL_BIND and MPOL_PREFERRED_MANY, not for MPOL_INTERLEAVE`},
		{`{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["X"]}}}`,
			`linux.memoryPolicy.flags[0]: "X" is not known; want MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES or MPOL_F_STATIC_NODES (invalid memory policy flag)`},
		{`{"process": {"scheduler": {}}}`,
			`process.scheduler.policy: missing: the scheduler policy is required; want ` + policies},
		{`{"process": {"scheduler": {"policy": "FIFO"}}}`,
			`process.scheduler.policy: invalid scheduler policy "FIFO"; want ` + policies},
		{`{"process": {"scheduler": {"policy": "SCHED_ISO"}}}`,
			`process.scheduler.policy: "SCHED_ISO" is a name that no kernel carries out, sched(7); want ` + policies},
		{`{"process": {"scheduler": {"policy": "SCHED_OTHER", "nice": 20}}}`,
			`process.scheduler.nice: invalid scheduler.nice: 20; want -20 to 19`},
		{`{"process": {"scheduler": {"policy": "SCHED_BATCH", "priority": 1}}}`,
			`process.scheduler.priority: 1: scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR, not for SCHED_BATCH`},
		{`{"process": {"scheduler": {"policy": "SCHED_FIFO"}}}`,
			`process.scheduler.priority: 0; want 1 to 99 for SCHED_FIFO`},
		{`{"process": {"scheduler": {"policy": "SCHED_FIFO", "priority": 100}}}`,
			`process.scheduler.priority: 100; want 1 to 99 for SCHED_FIFO`},
		{`{"process": {"scheduler": {"policy": "SCHED_IDLE", "period": 1}}}`,
			`process.scheduler: runtime, deadline and period can only be specified for SCHED_DEADLINE, not for SCHED_IDLE`},
		{`{"process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 1000}}}`,
			`process.scheduler: runtime 2000, deadline 1000, period 0; want at least 1024 nanoseconds of runtime, runtime <= deadline <= period, and a period of 0 for that of the deadline`},
		{`{"process": {"scheduler": {"policy": "SCHED_OTHER", "flags": ["X"]}}}`,
			`process.scheduler.flags[0]: "X" is not known; want ` + schedulerFlags.String()},
		{`{"hooks": {"startContainer": [{"path": "/x"}]}, "process": {"scheduler": {"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024}}}`,
			`process.scheduler.flags: SCHED_DEADLINE without SCHED_FLAG_RESET_ON_FORK: a process of that policy may make no other, sched(7), and hooks.startContainer would be others`},
		{`{"process": {"ioPriority": {}}}`,
			`process.ioPriority.class: invalid ioPriority.Class: ""; want IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE`},
		{`{"process": {"ioPriority": {"class": "IOPRIO_CLASS_NONE"}}}`,
			`process.ioPriority.class: invalid ioPriority.Class: "IOPRIO_CLASS_NONE"; want IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE`},
		{`{"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 8}}}`,
			`process.ioPriority.priority: invalid ioPriority.Priority: 8; want 0 to 7`},
		{`{"process": {"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": -1}}}`,
			`process.ioPriority.priority: invalid ioPriority.Priority: -1; want 0 to 7`},
		{`{"process": {"execCPUAffinity": {"initial": "0,"}}}`,
			`process.execCPUAffinity.initial: "0,"; want a list of numbers such as 0-3,7`},
		{`{"process": {"execCPUAffinity": {"final": "9000"}}}`,
			`process.execCPUAffinity.final: "9000": 9000 is beyond the highest that a kernel can have, 8191`},
	} {
		_, err := Plan(spec(t, c.patch), Options{Bundle: "/b", ID: "x"})
		if got := text(err); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.patch, got, c.want)
		}
	}
}

// TestTuningOfJoining checks that execCPUAffinity is applied to a process that joins, and that properties that it
// leaves open come from the container's own process.
func TestTuningOfJoining(t *testing.T) {
	own := &Process{
		Scheduler: &Scheduler{Policy: "SCHED_IDLE"}, IOPriority: &IOPriority{Class: "IOPRIO_CLASS_BE", Priority: 1},
		ExecCPUAffinity: &CPUAffinity{Initial: "0-2", Final: "1100,1"},
	}
	p := &Process{Args: []string{"x"}, Cwd: "/", IOPriority: &IOPriority{Class: "IOPRIO_CLASS_IDLE"}}
	p.Complete(own)
	cfg, _, err := PlanProcess(p, Running{ID: "c"})
	if err != nil {
		t.Fatal(err)
	}
	got := cfg.Container.Process
	if diff := cmp.Diff([]uint32{0, 1, 2}, cfg.Affinity) + cmp.Diff([]uint32{1, 1100}, got.Processors) +
		cmp.Diff(&container.Scheduler{Policy: 5}, got.Scheduler); diff != "" || got.IOPriority != 3<<13 {
		t.Errorf("%s %d", diff, got.IOPriority)
	}
}
