package systemd

import "reflect"

// Difference is what must be set of the plan after on a unit that has that of before. A property that is given more
// than once, as a list and what empties it, counts as a whole. What only before has stays: no property is the same as
// none.
func Difference(before, after []Property) []Property {
	had := map[string][]Value{}
	for _, p := range before {
		had[p.Name] = append(had[p.Name], p.Value)
	}
	has := map[string][]Value{}
	for _, p := range after {
		has[p.Name] = append(has[p.Name], p.Value)
	}
	var out []Property
	for _, p := range after {
		if !reflect.DeepEqual(had[p.Name], has[p.Name]) {
			out = append(out, p)
		}
	}
	return out
}
