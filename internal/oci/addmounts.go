package oci

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// LoadMounts reads a file of mounts in the form that config.json uses: either a list of mounts, or an object with
// the member mounts.
func LoadMounts(file string) ([]Mount, error) {
	data, err := readRegular(file)
	if err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	var list []Mount
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		var object struct {
			Mounts []Mount `json:"mounts"`
		}
		err = decodeInto(data, file, &object)
		list = object.Mounts
	} else {
		err = decodeInto(data, file, &list)
	}
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: %w", file, wrong("mounts", "none; want a list of mounts in the form of config.json's"))
	}
	return list, err
}

// ofTheHost lists the file systems that would show a container what the runtime sees. Only the container's own
// processes may make such a mount, so PlanMounts refuses it.
var ofTheHost = []string{"proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2"}

// PlanMounts decides what additional mounts of a running container mean. Relative sources are relative to the
// bundle. userns reports whether the container has its own user namespace.
func PlanMounts(list []Mount, bundle string, userns bool) (out []container.Mount, warnings []string, err error) {
	spec := &Spec{Linux: &Linux{Namespaces: []Namespace{{Type: container.NSMount}}}}
	c := &planner{spec: spec, linux: spec.Linux, opt: Options{Bundle: bundle}, out: &Planned{}}
	c.cfg = &c.out.Spawn.Container
	for i := range list {
		at := fmt.Sprintf("mounts[%d]", i)
		if _, copies := list[i].CopiedLink(bundle); copies {
			return nil, nil, wrong(at+".options", "%s may make a link, and a running container is only given mounts", copyLink)
		}
		m, err := c.mount(at, &list[i])
		if err == nil {
			err = checkAdded(at, &m, userns)
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, m)
	}
	return out, c.out.Warnings, nil
}

// checkAdded refuses mounts that are possible only while a container is being created.
func checkAdded(at string, m *container.Mount, userns bool) error {
	switch {
	case m.Destination == "/":
		return wrong(at+".destination", `"/" is the container's root`)
	case m.Destination == "/proc" || strings.HasPrefix(m.Destination, "/proc/"):
		return wrong(at+".destination", "%q: nothing is mounted on /proc of a running container", m.Destination)
	case m.Remount:
		return wrong(at+".options", "remount changes a mount that is there, and this adds one")
	case m.IDs != nil:
		return wrong(at+".uidMappings", "a mount of a running container cannot have mappings of its own")
	case m.Bind:
		return nil
	case slices.Contains(ofTheHost, m.Type):
		return wrong(at+".type", "%q would show the host's in a running container; want a bind mount or another type", m.Type)
	case m.CopyUp:
		return wrong(at+".options", "tmpcopyup is for the mounts that a container begins with")
	case userns:
		return wrong(at+".type", "%q: a running container with a user namespace can be given bind mounts alone", m.Type)
	}
	return nil
}
