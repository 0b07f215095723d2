package nsinit

import (
	"fmt"

	"github.com/handfast/handfast/syncproto/container"
)

// tuning is the part of a plan that tune carries out, but for the processors.
func (p *planner) tuning() {
	cfg := &p.cfg.Process
	if cfg.Personality != nil {
		p.add(step{Stage: stagePersonality, Text: fmt.Sprintf("%#x", *cfg.Personality)})
	}
	if m := cfg.MemoryPolicy; m != nil {
		p.add(step{Stage: stageMemory, Text: fmt.Sprintf("mode %d flags %#x nodes %v", m.Mode, m.Flags, m.Nodes)})
	}
	if s := cfg.Scheduler; s != nil {
		p.add(step{Stage: stageScheduler, Text: describeScheduler(s)})
	}
	if cfg.IOPriority != 0 {
		p.add(step{Stage: stageIOPriority, Text: fmt.Sprintf("class %d level %d", cfg.IOPriority>>13, cfg.IOPriority&0x1fff)})
	}
}

func (p *planner) processors() {
	if all := p.cfg.Process.Processors; len(all) > 0 {
		p.add(step{Stage: stageProcessors, Text: fmt.Sprint(all)})
	}
}

func describeScheduler(s *container.Scheduler) string {
	return fmt.Sprintf("policy %d nice %d priority %d runtime %d deadline %d period %d flags %#x",
		s.Policy, s.Nice, s.Priority, s.Runtime, s.Deadline, s.Period, s.Flags)
}

// mostNumber bounds the numbers of processors and nodes: what no kernel has would only make a large mask.
const (
	mostProcessor = 8191
	mostNode      = 1023
)

// checkTuning refuses numbers that no kernel has.
func checkTuning(p *container.Process) error {
	for _, n := range p.Processors {
		if n > mostProcessor {
			return fmt.Errorf("process.processors: %d is more than %d", n, mostProcessor)
		}
	}
	if sig := p.ParentDeathSignal; sig < 0 || sig > 64 {
		return fmt.Errorf("process.parentDeathSignal: %d; want 1 to 64, or 0 for none", sig)
	}
	if m := p.MemoryPolicy; m != nil {
		for _, n := range m.Nodes {
			if n > mostNode {
				return fmt.Errorf("process.memoryPolicy.nodes: %d is more than %d", n, mostNode)
			}
		}
	}
	return nil
}
