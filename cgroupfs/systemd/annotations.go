package systemd

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// AnnotationPrefix is the prefix of annotations that set properties of the unit. The rest of the name is the
// property's, and the annotation's value is the property's value in GVariant's text format.
const AnnotationPrefix = "org.systemd.property."

// SubAnnotation names the group below the unit's own to put the container's processes into.
const SubAnnotation = "run.oci.systemd.subgroup"

// FromAnnotations returns the properties that annotations set, sorted by name. A name that ends in Sec, with a number
// of seconds, sets the property in microseconds: TimeoutStopSec becomes TimeoutStopUSec. Properties that must have the
// driver's own value, such as Slice, are refused. The error names the annotation and wraps EINVAL.
//
// Some properties allow whoever writes the annotations more than a container may do: docs/runtime.md lists them.
func FromAnnotations(all map[string]string) ([]Property, error) {
	var out []Property
	for _, key := range slices.Sorted(maps.Keys(all)) {
		name, ok := strings.CutPrefix(key, AnnotationPrefix)
		if !ok {
			continue
		}
		if !propertyName(name) {
			return nil, invalid("annotation %s: %q is not the name of a property: want three or more letters", key, name)
		}
		if slices.Contains(owned(), name) {
			return nil, invalid("annotation %s: the runtime sets this property itself", key)
		}
		v, err := parseValue(all[key])
		if err != nil {
			return nil, invalid("annotation %s: %v", key, err)
		}
		if base, ok := strings.CutSuffix(name, "Sec"); ok && !strings.HasSuffix(base, "U") {
			if v, err = microseconds(v); err != nil {
				return nil, invalid("annotation %s: %v", key, err)
			}
			name = base + "USec"
		}
		out = append(out, Property{name, v})
	}
	return out, nil
}

func propertyName(name string) bool {
	for _, c := range name {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return len(name) >= 3
}

// microseconds converts a number of seconds, of any type, to the uint64 of such properties.
func microseconds(v Value) (Value, error) {
	const most = math.MaxUint64 / 1_000_000
	switch v.kind {
	case "n", "i", "x":
		if int64(v.n) < 0 {
			return v, invalid("%s seconds; want 0 or more", v)
		}
	case "y", "q", "u", "t":
	case "d":
		f := math.Float64frombits(v.n)
		if !(f >= 0 && f < most) { // nor is NaN
			return v, invalid("%s seconds; want 0 or more", v)
		}
		return uint64v(uint64(f * 1_000_000)), nil
	default:
		return v, invalid("%s is not a number of seconds", v)
	}
	if v.n > most {
		return v, invalid("%s seconds are too many", v)
	}
	return uint64v(v.n * 1_000_000), nil
}

// owned lists the properties that annotations may not set: which processes the unit holds, where it is, and who manages
// its group. Otherwise a container could be elsewhere than its state says.
func owned() []string { return []string{"Controller", "Delegate", "DelegateSubgroup", "PIDs", "Slice"} }
