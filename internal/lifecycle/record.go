package lifecycle

import (
	"github.com/handfast/handfast/cgroupfs/systemd"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/oci/state"
)

// recordOf returns the part of the state that describes the container's group. It leaves out the limits, because
// decoding them is expensive: see state.DecodeResources.
func recordOf(s *state.State) cgroupdriver.Record {
	return cgroupdriver.Record{Path: s.CgroupPath, Made: s.CgroupMade, Intent: s.CgroupIntent,
		Unit: systemd.Unit{Slice: s.UnitSlice, Name: s.Unit, Sub: s.UnitSub}, UserUnit: s.UnitUser}
}

// setRecord is the inverse of recordOf, and includes the limits.
func setRecord(s *state.State, rec cgroupdriver.Record) {
	s.CgroupPath, s.CgroupMade, s.CgroupIntent = rec.Path, rec.Made, rec.Intent
	s.Unit, s.UnitSlice, s.UnitSub, s.UnitUser = rec.Unit.Name, rec.Unit.Slice, rec.Unit.Sub, rec.UserUnit
	s.Resources = state.EncodeResources(rec.Limits)
}
