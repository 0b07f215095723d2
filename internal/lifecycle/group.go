package lifecycle

import (
	"errors"
	"reflect"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
)

// group is the container's control group.
type group struct{}

func hostCgroups() (*group, oci.CgroupHost, error) { return nil, oci.CgroupHost{}, nil }

// makeGroup refuses limits, so that none is ever ignored.
func (c *creation) makeGroup() error {
	limits := c.convert.Resources
	limits.Devices = nil
	if !reflect.ValueOf(limits).IsZero() {
		return errors.New("linux.resources: not carried out by this version")
	}
	return nil
}

func removeGroup(*state.State) error            { return nil }
func (r *Runtime) killGroup(*state.State) error { return nil }

// Add does nothing: there is no group.
func (g *group) Add(int) error { return nil }

// FD is -1: there is no group.
func (g *group) FD() int { return -1 }
