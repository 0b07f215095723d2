package oci

import (
	"fmt"
	"math"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

// deviceRules converts the rules and appends those that every container needs: creating any node (which gives no
// access to the device), and using the default devices.
func (l *limits) deviceRules(r *Resources) error {
	for i, d := range r.Devices {
		at := fmt.Sprintf(resourcesAt+"devices[%d]", i)
		switch d.Type {
		case "a", "c", "b":
		case "":
			d.Type = "a"
		default:
			return wrong(at+".type", "%q is not known; want a, c or b", d.Type)
		}
		if d.Access == "" {
			d.Access = "rwm"
		}
		if err := l.access(at+".access", &d); err != nil {
			return err
		}
		for _, n := range [...]struct {
			name string
			in   **int64
		}{{"major", &d.Major}, {"minor", &d.Minor}} {
			if *n.in != nil && (**n.in < -1 || **n.in > math.MaxUint32) {
				return wrong(at+"."+n.name, "%d; want 0 to %d, or -1 for all", **n.in, uint32(math.MaxUint32))
			}
			if *n.in != nil && **n.in == -1 {
				*n.in = nil
			}
		}
		l.out.Devices = append(l.out.Devices, cgroupfs.DeviceRule(d))
	}
	if len(r.Devices) > 0 {
		l.out.Devices = append(l.out.Devices, defaultRules()...)
	}
	return nil
}

// access accepts the letters r, w and m in any order, also repeated. Like runc, it also accepts other letters and
// ignores them. A rule with other letters that denies access would then deny less than it says, so such a rule
// denies all three.
func (l *limits) access(at string, d *DeviceRule) error {
	known := ""
	for _, letter := range []string{"r", "w", "m"} {
		if strings.Contains(d.Access, letter) {
			known += letter
		}
	}
	if known == "" {
		return wrong(at, "%q; want letters of rwm", d.Access)
	}
	if strings.Trim(d.Access, "rwm") != "" {
		what := "which are left out"
		if !d.Allow {
			known, what = "rwm", "so all of rwm is denied"
		}
		l.warnings = append(l.warnings, fmt.Sprintf("%s: %q holds other letters than rwm, %s", at, d.Access, what))
	}
	d.Access = known
	return nil
}

// defaultRules returns the rules for what every container needs. The host's console, 5:1, is not among them: that of a
// container is one of its terminals.
func defaultRules() []cgroupfs.DeviceRule {
	rules := []cgroupfs.DeviceRule{{Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"}}
	for _, d := range defaultDevices() {
		major, minor := int64(d.Major), int64(d.Minor)
		rules = append(rules, cgroupfs.DeviceRule{Allow: true, Type: d.Type, Major: &major, Minor: &minor, Access: "rwm"})
	}
	for _, d := range [...]struct{ major, minor int64 }{{5, 2}, {10, 200}} { // ptmx, net/tun
		rules = append(rules, cgroupfs.DeviceRule{Allow: true, Type: "c", Major: &d.major, Minor: &d.minor, Access: "rwm"})
	}
	terminals := int64(136) // pts/*
	return append(rules, cgroupfs.DeviceRule{Allow: true, Type: "c", Major: &terminals, Access: "rwm"})
}
