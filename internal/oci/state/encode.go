package state

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/handfast/handfast/cgroupfs"
)

// encode encodes a state as encoding/json would, except for the white space in values that were JSON before. It is
// written by hand because a start writes the state four times and every command reads it; see package jsonread.
func encode(s *State) ([]byte, error) {
	o := object{b: make([]byte, 0, 2048)}
	o.open()
	o.always("ociVersion", s.OCIVersion)
	o.always("id", s.ID)
	o.always("bundle", s.Bundle)
	o.always("rootfs", s.Rootfs)
	created, err := s.Created.MarshalJSON()
	if err != nil {
		return nil, err
	}
	o.raw("created", created)
	o.always("owner", s.Owner)
	o.texts("annotations", s.Annotations)
	o.flag("creating", s.Creating)
	o.count("pid", s.PID)
	if s.StartTime != 0 {
		number(&o, "startTime", &s.StartTime)
	}
	o.text("gate", s.Gate)
	if s.BelowRootfs != 0 {
		number(&o, "belowRootfs", &s.BelowRootfs)
	}
	o.flag("console", s.Console)
	o.list("streams", s.Streams)
	o.list("joined", s.Joined)
	o.flag("sharedPID", s.SharedPID)
	o.text("keyring", s.Keyring)
	o.flag("noProcess", s.NoProcess)
	o.text("cgroupPath", s.CgroupPath)
	o.count("cgroupMade", s.CgroupMade)
	o.intent("cgroupIntent", s.CgroupIntent)
	o.text("unit", s.Unit)
	o.text("unitSlice", s.UnitSlice)
	o.text("unitSub", s.UnitSub)
	o.flag("unitUser", s.UnitUser)
	o.raw("process", s.Process)
	if s.Shared != nil {
		err = o.rare("shared", s.Shared)
	}
	o.text("seccomp", s.Seccomp)
	o.raw("resources", s.Resources)
	if err == nil && s.RDT != nil {
		err = o.rare("rdt", s.RDT)
	}
	if err == nil && len(s.AddedMounts) > 0 {
		err = o.rare("addedMounts", s.AddedMounts)
	}
	if err == nil && len(s.Poststart) > 0 {
		err = o.rare("poststart", s.Poststart)
	}
	if err == nil && len(s.Poststop) > 0 {
		err = o.rare("poststop", s.Poststop)
	}
	o.close()
	return o.b, err
}

func (o *object) intent(name string, in *cgroupfs.Intent) {
	if in == nil {
		return
	}
	o.key(name)
	o.open()
	o.always("path", in.Path)
	o.key("missing")
	o.open()
	for _, h := range slices.Sorted(maps.Keys(in.Missing)) {
		n := in.Missing[h]
		number(o, h, &n)
	}
	o.close()
	o.close()
}

// object is a JSON object that is being built.
type object struct{ b []byte }

// always is like text, but includes the member even if it is empty.
func (o *object) always(name, value string) {
	o.key(name)
	o.quote(value)
}

// texts adds a map of strings, unless it is empty.
func (o *object) texts(name string, all map[string]string) {
	if len(all) == 0 {
		return
	}
	o.key(name)
	o.open()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		o.always(key, all[key])
	}
	o.close()
}

// list adds a list of strings, unless it is empty.
func (o *object) list(name string, all []string) {
	if len(all) == 0 {
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for _, s := range all {
		o.comma()
		o.quote(s)
	}
	o.b = append(o.b, ']')
}

// count adds a number, unless it is zero.
func (o *object) count(name string, n int) {
	if n != 0 {
		number(o, name, &n)
	}
}

func (o *object) open() { o.b = append(o.b, '{') }

func (o *object) close() { o.b = append(o.b, '}') }

func (o *object) comma() {
	if last := o.b[len(o.b)-1]; last != '{' && last != '[' {
		o.b = append(o.b, ',')
	}
}

func (o *object) key(name string) {
	o.comma()
	o.quote(name)
	o.b = append(o.b, ':')
}

// text adds a string, unless it is empty.
func (o *object) text(name, value string) {
	if value == "" {
		return
	}
	o.key(name)
	o.quote(value)
}

// quote appends a quoted string.
func (o *object) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // cannot fail for a string
			o.b = append(o.b, quoted...)
			return
		}
	}
	o.b = append(append(append(o.b, '"'), s...), '"')
}

// raw adds a JSON value, unless it is empty.
func (o *object) raw(name string, value json.RawMessage) {
	if len(value) > 0 {
		o.key(name)
		o.b = append(o.b, value...)
	}
}

// rare adds a value that few containers have, encoded by encoding/json.
func (o *object) rare(name string, value any) error {
	text, err := json.Marshal(value)
	o.raw(name, text)
	return err
}

// flag adds true; it leaves out false.
func (o *object) flag(name string, value bool) {
	if value {
		o.boolean(name, &value)
	}
}

func (o *object) boolean(name string, value *bool) {
	if value != nil {
		o.key(name)
		o.b = strconv.AppendBool(o.b, *value)
	}
}

func number[T int | int64 | uint64 | uint32 | uint16](o *object, name string, value *T) {
	if value == nil {
		return
	}
	o.key(name)
	if *value < 0 {
		o.b = strconv.AppendInt(o.b, int64(*value), 10)
	} else {
		o.b = strconv.AppendUint(o.b, uint64(*value), 10)
	}
}

func list[T any](o *object, name string, values []T, each func(*T)) {
	if len(values) == 0 {
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for i := range values {
		o.comma()
		o.open()
		each(&values[i])
		o.close()
	}
	o.b = append(o.b, ']')
}
