package state

import (
	"encoding/json"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/jsonread"
)

type reader = jsonread.Reader

// stateFields are the members of a state for package jsonread.
var stateFields = []jsonread.Field[State]{
	{Name: "ociVersion", Read: func(r *reader, v *State) { jsonread.String(r, &v.OCIVersion) }},
	{Name: "id", Read: func(r *reader, v *State) { jsonread.String(r, &v.ID) }},
	{Name: "bundle", Read: func(r *reader, v *State) { jsonread.String(r, &v.Bundle) }},
	{Name: "rootfs", Read: func(r *reader, v *State) { jsonread.String(r, &v.Rootfs) }},
	{Name: "created", Read: func(r *reader, v *State) { jsonread.Any(r, &v.Created) }},
	{Name: "owner", Read: func(r *reader, v *State) { jsonread.String(r, &v.Owner) }},
	{Name: "annotations", Read: func(r *reader, v *State) { jsonread.Map(r, &v.Annotations, jsonread.String) }},
	{Name: "creating", Read: func(r *reader, v *State) { jsonread.Bool(r, &v.Creating) }},
	{Name: "pid", Read: func(r *reader, v *State) { jsonread.Integer(r, &v.PID) }},
	{Name: "startTime", Read: func(r *reader, v *State) { jsonread.Integer(r, &v.StartTime) }},
	{Name: "belowRootfs", Read: func(r *reader, v *State) { jsonread.Integer(r, &v.BelowRootfs) }},
	{Name: "gate", Read: func(r *reader, v *State) { jsonread.String(r, &v.Gate) }},
	{Name: "console", Read: func(r *reader, v *State) { jsonread.Bool(r, &v.Console) }},
	{Name: "streams", Read: func(r *reader, v *State) { jsonread.Strings(r, &v.Streams) }},
	{Name: "joined", Read: func(r *reader, v *State) { jsonread.Strings(r, &v.Joined) }},
	{Name: "sharedPID", Read: func(r *reader, v *State) { jsonread.Bool(r, &v.SharedPID) }},
	{Name: "keyring", Read: func(r *reader, v *State) { jsonread.String(r, &v.Keyring) }},
	{Name: "noProcess", Read: func(r *reader, v *State) { jsonread.Bool(r, &v.NoProcess) }},
	{Name: "cgroupPath", Read: func(r *reader, v *State) { jsonread.String(r, &v.CgroupPath) }},
	{Name: "cgroupMade", Read: func(r *reader, v *State) { jsonread.Integer(r, &v.CgroupMade) }},
	{Name: "cgroupIntent", Read: func(r *reader, v *State) { jsonread.Pointer(r, &v.CgroupIntent, readIntent) }},
	{Name: "unit", Read: func(r *reader, v *State) { jsonread.String(r, &v.Unit) }},
	{Name: "unitSlice", Read: func(r *reader, v *State) { jsonread.String(r, &v.UnitSlice) }},
	{Name: "unitSub", Read: func(r *reader, v *State) { jsonread.String(r, &v.UnitSub) }},
	{Name: "unitUser", Read: func(r *reader, v *State) { jsonread.Bool(r, &v.UnitUser) }},
	{Name: "process", Read: func(r *reader, v *State) { jsonread.Raw(r, &v.Process) }},
	{Name: "shared", Read: func(r *reader, v *State) { jsonread.Any(r, &v.Shared) }},
	{Name: "seccomp", Read: func(r *reader, v *State) { jsonread.String(r, &v.Seccomp) }},
	{Name: "resources", Read: func(r *reader, v *State) { jsonread.Raw(r, &v.Resources) }},
	{Name: "rdt", Read: func(r *reader, v *State) { jsonread.Any(r, &v.RDT) }},
	{Name: "addedMounts", Read: func(r *reader, v *State) { jsonread.Any(r, &v.AddedMounts) }},
	{Name: "poststart", Read: func(r *reader, v *State) { jsonread.Any(r, &v.Poststart) }},
	{Name: "poststop", Read: func(r *reader, v *State) { jsonread.Any(r, &v.Poststop) }},
}

func readState(r *reader, v *State) { jsonread.Object(r, v, stateFields) }

var intentFields = []jsonread.Field[cgroupfs.Intent]{
	{Name: "path", Read: func(r *reader, v *cgroupfs.Intent) { jsonread.String(r, &v.Path) }},
	{Name: "missing", Read: func(r *reader, v *cgroupfs.Intent) {
		jsonread.Map(r, &v.Missing, jsonread.Integer[int])
	}},
}

func readIntent(r *reader, v *cgroupfs.Intent) { jsonread.Object(r, v, intentFields) }

// unmarshal decodes a state with the tables if they accept it, and otherwise with encoding/json.
func unmarshal(b []byte) (*State, error) {
	s := new(State)
	if jsonread.Decode(b, s, readState) {
		return s, nil
	}
	s = new(State)
	return s, json.Unmarshal(b, s)
}
