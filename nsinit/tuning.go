package nsinit

import (
	"fmt"

	"github.com/handfast/handfast/syncproto/container"
)

// tuning adds the steps that change how the kernel treats this thread, except the processors.
func (p *planner) tuning() {
	cfg := &p.cfg.Process
	if cfg.Personality != nil {
		p.add(personalityStep{*cfg.Personality})
	}
	if m := cfg.MemoryPolicy; m != nil {
		p.add(memoryPolicyStep{m})
	}
	if s := cfg.Scheduler; s != nil {
		p.add(schedulerStep{s})
	}
	if cfg.IOPriority != 0 {
		p.add(ioPriorityStep{cfg.IOPriority})
	}
}

func (p *planner) processors() {
	if all := p.cfg.Process.Processors; len(all) > 0 {
		p.add(processorsStep{all})
	}
}

// mostProcessor and mostNode are limits for the numbers of processors and nodes: a number that no kernel has would
// only make a large mask.
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
