package oci

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// netDevices decides which of the host's devices move to the container's network namespace, sorted by name.
func (c *planner) netDevices() error {
	const property = "linux.netDevices"
	if len(c.linux.NetDevices) == 0 {
		return nil
	}
	if !c.has(container.NSNetwork) {
		return wrong(property, "unable to move network devices without a network namespace in linux.namespaces")
	}
	if c.opt.Host.UID != 0 {
		return wrong(property, "network devices are not supported for rootless containers: "+
			"only root of the host may give them away")
	}
	taken := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.linux.NetDevices)) {
		d := spawn.NetDevice{Name: name, As: c.linux.NetDevices[name].Name}
		at := property + "." + name
		if !deviceName(name) || strings.Contains(name, "%") {
			return wrong(property, "invalid network device name %q; want %s", name, deviceNameRule)
		}
		if d.As != "" && !deviceName(strings.Replace(d.As, "%d", "0", 1)) {
			return wrong(at+".name", "invalid network device name %q; want %s, and %%d once for a number", d.As, deviceNameRule)
		}
		as := d.As
		if as == "" {
			as = name
		}
		if other := taken[as]; other != "" && !strings.Contains(as, "%d") {
			return wrong(at+".name", "%q is that of %s too", as, other)
		}
		taken[as] = name
		c.out.Spawn.NetDevices = append(c.out.Spawn.NetDevices, d)
	}
	return nil
}

const deviceNameRule = "1 to 15 bytes without a slash, a colon, a percent sign or a space, and neither . nor .."

// deviceName implements dev_valid_name from the kernel's net/core/dev.c.
func deviceName(name string) bool {
	return name != "" && len(name) < unix.IFNAMSIZ && name != "." && name != ".." &&
		!strings.ContainsAny(name, "/:%") && !strings.ContainsFunc(name, unicode.IsSpace)
}
