package systemd

import (
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

// deviceList is the type of DeviceAllow: pairs of a node and letters of rwm.
const deviceList = "a(ss)"

// DeviceNames are the drivers of each major number, by which systemd names all devices of a major.
type DeviceNames struct{ Char, Block map[int64]string }

// ParseDeviceNames parses /proc/devices (proc_devices(5)). If two drivers share a number it takes the first.
func ParseDeviceNames(text string) DeviceNames {
	names := DeviceNames{map[int64]string{}, map[int64]string{}}
	var into map[int64]string
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); line {
		case "Character devices:":
			into = names.Char
		case "Block devices:":
			into = names.Block
		default:
			number, name, found := strings.Cut(line, " ")
			n, err := strconv.ParseInt(number, 10, 64)
			if found && err == nil && into != nil && into[n] == "" {
				into[n] = name
			}
		}
	}
	return names
}

// node is a set of devices of one kind, and what may be done with them.
type node struct {
	kind         string // "c" or "b"
	major, minor int64  // -1: all
	access       string // letters of rwm
}

// devices: systemd only knows lists of what is allowed. So it gets what the rules allow in the end, or slightly more if
// they deny a part of something that a list cannot split. Package cgroupfs enforces the rules themselves. On v2 both
// apply. On v1 systemd's list applies until the rules are written after it.
func (p *planner) devices() error {
	if len(p.r.Devices) == 0 {
		return nil
	}
	all, err := allowed(p.r.Devices)
	if err != nil {
		return err
	}
	everything := 0
	for _, n := range all {
		if n.major < 0 && n.minor < 0 && n.access == "rwm" {
			everything++
		}
	}
	if everything == 2 {
		p.add("DevicePolicy", text("auto"))
		p.add("DeviceAllow", array("(ss)"))
		return nil
	}
	p.add("DevicePolicy", text("strict"))
	p.add("DeviceAllow", array("(ss)")) // an empty list resets what was allowed before
	list := array("(ss)")
	for _, pair := range p.host.Devices.pairs(all) {
		list.items = append(list.items, tuple(text(pair[0]), text(pair[1])))
	}
	if len(list.items) > 0 {
		p.add("DeviceAllow", list)
	}
	return nil
}

// allowed applies the rules in order, starting from a group that allows everything.
func allowed(rules []cgroupfs.DeviceRule) ([]node, error) {
	all := []node{{"c", -1, -1, "rwm"}, {"b", -1, -1, "rwm"}}
	for i, r := range rules {
		kinds := []string{r.Type}
		if r.Type == "a" || r.Type == "" {
			kinds = []string{"c", "b"}
		}
		access := r.Access
		if access == "" {
			access = "rwm"
		}
		if strings.Trim(access, "rwm") != "" || !slices.Contains([]string{"c", "b"}, kinds[0]) {
			return nil, invalid("device rule %d: type %q, access %q; want a, c or b, and letters of rwm", i, r.Type, r.Access)
		}
		for _, kind := range kinds {
			n := node{kind, -1, -1, access}
			if r.Major != nil {
				n.major = *r.Major
			}
			if r.Minor != nil {
				n.minor = *r.Minor
			}
			if r.Allow {
				all = allow(all, n)
			} else {
				all = deny(all, n)
			}
		}
	}
	return all, nil
}

func allow(all []node, n node) []node {
	for i := range all {
		if o := &all[i]; o.kind == n.kind && o.major == n.major && o.minor == n.minor {
			o.access = letters(func(c string) bool { return strings.Contains(o.access, c) || strings.Contains(n.access, c) })
			return all
		}
	}
	n.access = letters(func(c string) bool { return strings.Contains(n.access, c) })
	return append(all, n)
}

// deny removes the nodes that the rule covers entirely.
func deny(all []node, n node) []node {
	var left []node
	for _, o := range all {
		if o.kind == n.kind && (n.major < 0 || n.major == o.major) && (n.minor < 0 || n.minor == o.minor) {
			o.access = letters(func(c string) bool { return strings.Contains(o.access, c) && !strings.Contains(n.access, c) })
		}
		if o.access != "" {
			left = append(left, o)
		}
	}
	return left
}

func letters(has func(string) bool) string {
	out := ""
	for _, c := range []string{"r", "w", "m"} {
		if has(c) {
			out += c
		}
	}
	return out
}

// pairs returns the nodes as systemd names them (systemd.resource-control(5), "DeviceAllow="). It leaves out a major
// number without a driver on this host, which has no devices to open.
func (names DeviceNames) pairs(all []node) [][2]string {
	var out [][2]string
	for _, n := range all {
		word, drivers := "char", names.Char
		if n.kind == "b" {
			word, drivers = "block", names.Block
		}
		name := ""
		switch {
		case n.major >= 0 && n.minor >= 0:
			name = "/dev/" + word + "/" + strconv.FormatInt(n.major, 10) + ":" + strconv.FormatInt(n.minor, 10)
		case n.major >= 0:
			if drivers[n.major] == "" {
				continue
			}
			name = word + "-" + drivers[n.major]
		default: // a minor number of any major cannot be named, only all devices
			name = word + "-*"
		}
		if i := slices.IndexFunc(out, func(o [2]string) bool { return o[0] == name }); i >= 0 {
			out[i][1] = letters(func(c string) bool { return strings.Contains(out[i][1]+n.access, c) })
			continue
		}
		out = append(out, [2]string{name, n.access})
	}
	return out
}
