package lifecycle

import (
	"errors"
	"fmt"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/rdt"
)

// makeClass makes the container's class of cache and memory bandwidth, if the configuration requests one.
func (c *creation) makeClass() error {
	if c.plan.RDT == nil {
		return nil
	}
	host, err := rdt.Host()
	if errors.Is(err, rdt.ErrNone) && c.plan.RDT.Optional {
		return nil
	}
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	intent, err := host.Intend(*c.plan.RDT)
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	// Stored before the class is made, so that delete finds it even if this process is killed.
	c.state.RDT = &intent
	if err := c.save(); err != nil {
		return err
	}
	made, err := host.Make(*c.plan.RDT)
	if err != nil {
		c.state.RDT = &made // another program may have made it first, and then it is not ours to remove
		return Join(fmt.Errorf("linux.intelRdt: %w", err), c.save())
	}
	if made == intent {
		return nil
	}
	c.state.RDT = &made
	return c.save()
}

// joinClass puts a process of the container into its class.
func joinClass(s *state.State, pid int) error {
	if s.RDT == nil {
		return nil
	}
	host, err := rdt.Host()
	if err == nil {
		err = host.Add(*s.RDT, pid)
	}
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	return nil
}

// removeClass removes what makeClass made. If resctrl is not mounted any more, there is nothing to remove.
func removeClass(s *state.State) error {
	if s.RDT == nil {
		return nil
	}
	host, err := rdt.Host()
	if errors.Is(err, rdt.ErrNone) {
		return nil
	}
	if err == nil {
		err = host.Remove(*s.RDT)
	}
	return err
}

// changeClass changes the schemata of the container's class, and returns a function that undoes the change.
func changeClass(s *state.State, lines []string) (undo func() error, err error) {
	if len(lines) == 0 {
		return func() error { return nil }, nil
	}
	if s.RDT == nil {
		return nil, errors.New("it has no class of cache and memory bandwidth; give it one by linux.intelRdt")
	}
	host, err := rdt.Host()
	if err != nil {
		return nil, err
	}
	old, err := host.Lines(*s.RDT)
	if err != nil {
		return nil, err
	}
	return func() error { return host.Change(*s.RDT, old) }, host.Change(*s.RDT, lines)
}
