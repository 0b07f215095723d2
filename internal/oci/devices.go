package oci

import (
	"math"
	"path"
	"slices"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// defaultDevices returns the device nodes in config-linux.md "Default Devices". The child makes console, ptmx and
// the links.
func defaultDevices() []container.Device {
	return []container.Device{
		{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666},
		{Path: "/dev/zero", Type: "c", Major: 1, Minor: 5, Mode: 0o666},
		{Path: "/dev/full", Type: "c", Major: 1, Minor: 7, Mode: 0o666},
		{Path: "/dev/random", Type: "c", Major: 1, Minor: 8, Mode: 0o666},
		{Path: "/dev/urandom", Type: "c", Major: 1, Minor: 9, Mode: 0o666},
		{Path: "/dev/tty", Type: "c", Major: 5, Minor: 0, Mode: 0o666},
	}
}

func (c *planner) devices() error {
	var own []container.Device
	for i := range c.linux.Devices {
		d, err := c.device(indexed("linux.devices", i), &c.linux.Devices[i])
		if err != nil {
			return err
		}
		before := slices.IndexFunc(own, func(o container.Device) bool { return o.Path == d.Path })
		switch {
		case before < 0:
			own = append(own, d)
		case own[before] != d:
			// config-linux.md: it is an error if the path already holds a different device.
			return wrong(indexed("linux.devices", i)+".path", "%q stands twice, as two different devices", d.Path)
		}
	}
	if !c.has(container.NSMount) && !c.cfg.Root.OnHost || slices.ContainsFunc(c.cfg.Mounts, func(m container.Mount) bool {
		return m.Bind &&
			m.Destination == "/dev"
	}) {
		// This is the host's own /dev: nothing may be created or changed there.
		return nil
	}
	standard := defaultDevices()
	c.cfg.Devices = make([]container.Device, 0, len(standard)+len(own))
	for _, d := range standard {
		// The configuration's own definition of a default device takes precedence.
		if !slices.ContainsFunc(own, func(o container.Device) bool { return o.Path == d.Path }) {
			c.cfg.Devices = append(c.cfg.Devices, d)
		}
	}
	c.cfg.Devices = append(c.cfg.Devices, own...)
	return nil
}

func (c *planner) device(at string, in *Device) (container.Device, error) {
	d := container.Device{Path: path.Clean(in.Path), Type: in.Type, Mode: 0o666}
	if !strings.HasPrefix(in.Path, "/") || d.Path == "/" {
		return d, wrong(at+".path", "%q; want the absolute path of a device node", in.Path)
	}
	switch in.Type {
	case "c", "b", "p":
	case "u": // unbuffered: the same as c, mknod(1)
		d.Type = "c"
	default:
		return d, wrong(at+".type", "%q is not known; want c, b, u or p", in.Type)
	}
	if d.Type != "p" {
		for _, n := range [...]struct {
			at    string
			value int64
		}{{"major", in.Major}, {"minor", in.Minor}} {
			if n.value < 0 || n.value > math.MaxUint32 {
				return d, wrong(at+"."+n.at, "%d; want 0 to %d", n.value, uint32(math.MaxUint32))
			}
		}
		d.Major, d.Minor = uint32(in.Major), uint32(in.Minor)
	}
	if in.FileMode != nil {
		d.Mode = *in.FileMode & 0o7777
	}
	if in.UID != nil {
		d.UID = *in.UID
	}
	if in.GID != nil {
		d.GID = *in.GID
	}
	if err := c.checkMapped(at+".uid", "linux.uidMappings", c.linux.UIDMappings, d.UID); err != nil {
		return d, err
	}
	return d, c.checkMapped(at+".gid", "linux.gidMappings", c.linux.GIDMappings, d.GID)
}
