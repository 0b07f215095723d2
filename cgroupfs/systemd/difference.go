package systemd

import "reflect"

// Difference returns the properties of the plan after that must be set on a unit with those of before. A property that
// occurs more than once, such as a list preceded by its reset, is compared as a whole. Properties that only before has
// stay, because leaving a property out does not unset it.
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
