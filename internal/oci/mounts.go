package oci

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

func (c *planner) root() error {
	r := c.spec.Root
	if r == nil {
		return wrong("root", "missing; want an object with the path of the root file system")
	}
	if r.Path == "" {
		return wrong("root.path", "missing or empty; want the path of the root file system")
	}
	c.out.Rootfs = c.fromBundle(r.Path)
	c.cfg.Root = container.Root{Path: c.out.Rootfs, Readonly: r.Readonly, NoPivot: c.opt.NoPivot}
	if p := c.linux.RootfsPropagation; p != "" {
		if c.cfg.Root.Propagation = propagation(p); c.cfg.Root.Propagation == 0 {
			return wrong("linux.rootfsPropagation", "%q is not known; want shared, slave, private or unbindable, each also "+
				"with an r before it", p)
		}
	}
	if c.cfg.Root.OnHost = c.mountsOnHost(); c.cfg.Root.OnHost {
		c.warn("linux.namespaces: no mount namespace: what the container mounts is mounted on the host, below " +
			c.out.Rootfs + ", until the container is deleted")
	}
	return nil
}

// fromBundle returns an absolute path. In config.md, root.path and the sources of bind mounts may be relative to
// the bundle.
func (c *planner) fromBundle(p string) string {
	if strings.HasPrefix(p, "/") {
		return path.Clean(p)
	}
	return path.Join(c.opt.Bundle, p)
}

// mountsOnHost reports whether the configuration mounts something although the container has no mount namespace of
// its own. Such mounts are made on the host, below the root file system, and stay until the container is deleted.
func (c *planner) mountsOnHost() bool {
	return !c.has(container.NSMount) && (c.spec.Root.Readonly || len(c.spec.Mounts) > 0 || c.cfg.Root.Propagation != 0 ||
		len(c.linux.MaskedPaths) > 0 || len(c.linux.ReadonlyPaths) > 0 || c.spec.Process != nil && c.spec.Process.Terminal)
}

func (c *planner) mounts() error {
	c.cfg.Mounts = slices.Grow(c.cfg.Mounts, len(c.spec.Mounts))
	for i := range c.spec.Mounts {
		m, err := c.mount(indexed("mounts", i), &c.spec.Mounts[i])
		if err != nil {
			return err
		}
		c.cfg.Mounts = append(c.cfg.Mounts, m)
	}
	return nil
}

// inContainer returns a destination as an absolute, clean path. As with runc, if the destination begins with the
// path of the root file system on the host, that prefix is removed, but only once. Links are not followed.
func (c *planner) inContainer(destination string) string {
	destination = path.Join("/", destination)
	root := c.out.Rootfs
	if root == "" || root == "/" { // "" for mounts of a running container
		return destination
	}
	if rest, ok := strings.CutPrefix(destination, root); ok && (rest == "" || rest[0] == '/') {
		return path.Join("/", rest)
	}
	return destination
}

func (c *planner) mount(at string, in *Mount) (container.Mount, error) {
	m := container.Mount{
		Destination: in.Destination, Type: in.Type, Source: in.Source, Remount: slices.Contains(in.Options, "remount"),
	}
	if in.Destination == "" {
		return m, wrong(at+".destination", "missing; want an absolute path in the container")
	}
	if !strings.HasPrefix(in.Destination, "/") {
		c.warn(fmt.Sprintf("%s.destination: %q is not absolute and is taken from the container's root", at, in.Destination))
	}
	m.Destination = c.inContainer(in.Destination)
	if m.Destination == "/" && !m.Remount && path.Join("/", in.Destination) == c.out.Rootfs {
		return m, wrong(at+".destination", "%q is the root file system itself; want a path below it", in.Destination)
	}
	mapped, copies := "", false
	for i, o := range in.Options {
		switch o {
		case "idmap", "ridmap":
			mapped = o
			continue
		case copyLink:
			copies = true
			continue
		}
		if err := c.option(&m, indexed(at+".options", i), o); err != nil {
			return m, err
		}
	}
	if copies {
		if m.Remount || !m.Bind {
			return m, wrong(at+".options", "%s is for a bind mount", copyLink)
		}
		if text, is := c.opt.Host.Links[c.fromBundle(m.Source)]; is {
			return container.Mount{Destination: m.Destination, Link: text}, nil
		}
	}
	if m.Remount {
		return m, c.remount(at, &m, mapped, in)
	}
	if err := c.idMapped(at, in, &m, mapped); err != nil {
		return m, err
	}
	switch {
	case m.Bind:
		return m, c.bind(at, &m)
	case in.Type == "bind":
		return m, wrong(at+".options", "neither bind nor rbind, which make a bind mount; the type %q alone does not", in.Type)
	case in.Type == "":
		return m, wrong(at+".type", "missing; want a file system's name, or the option bind or rbind")
	case m.CopyUp && in.Type != "tmpfs":
		return m, wrong(at+".options", "tmpcopyup is for the type tmpfs, not %q", in.Type)
	}
	if m.Set&unix.MOUNT_ATTR_RDONLY != 0 && !virtual(m.Type) {
		m.FSFlags = append(m.FSFlags, "ro")
	}
	if m.Type == "cgroup" {
		m.Cgroup = c.opt.Host.Cgroup.view(c.groupPath())
		return m, cgroupOptions(at, &m)
	}
	return m, c.mountIDs(at, m.Data)
}

// copyLink is an option of a bind mount, as with crun: if the source is a symbolic link, the container gets a link with
// the same text, in place of what the link leads to on the host.
const copyLink = "copy-symlink"

// CopiedLink returns the absolute path of the mount's source if the mount copies it in case it is a link. What the link
// says is a fact of the host, for Host.Links.
func (m *Mount) CopiedLink(bundle string) (source string, copies bool) {
	if m.Source == "" || !slices.Contains(m.Options, copyLink) {
		return "", false
	}
	return (&planner{opt: Options{Bundle: bundle}}).fromBundle(m.Source), true
}

func (c *planner) option(m *container.Mount, at, o string) error {
	if a, recursive, found := findAttr(o); found {
		if recursive {
			a.apply(&m.RecSet, &m.RecClear)
		} else {
			a.apply(&m.Set, &m.Clear)
		}
		return nil
	}
	if p := propagation(o); p != 0 {
		m.Propagation = joinPropagation(m.Propagation, p)
		return nil
	}
	if name, set, found := superblockFlag(o); found {
		m.FSFlags = slices.DeleteFunc(m.FSFlags, func(f string) bool { return f == name })
		switch {
		case set:
			m.FSFlags = append(m.FSFlags, name)
		case m.Remount: // a new file system has none of them set
			m.FSFlags = append(m.FSFlags, o)
		}
		return nil
	}
	switch o {
	case "", "defaults": // mount(2) ignores an empty option too
	case "bind":
		m.Bind = true
	case "rbind":
		m.Bind, m.Recursive = true, true
	case "tmpcopyup":
		m.CopyUp = true
	case "remount": // handled before
	default:
		m.Data = append(m.Data, o)
	}
	return nil
}

func (c *planner) bind(at string, m *container.Mount) error {
	switch {
	case m.Source == "":
		return wrong(at+".source", "missing; a bind mount needs the path on the host")
	case len(m.Data) > 0:
		return wrong(at+".options", "%q is an option of a file system and cannot be given to a bind mount", m.Data[0])
	case m.CopyUp:
		return wrong(at+".options", "tmpcopyup cannot be given to a bind mount")
	case len(m.FSFlags) > 0:
		c.warn(fmt.Sprintf("%s.options: %s belongs to the file system and has no effect on a bind mount", at,
			strings.Join(m.FSFlags, ", ")))
	}
	m.Source, m.Type, m.FSFlags = c.fromBundle(m.Source), "", nil
	return nil
}

// cgroup2Options are the options of cgroup2 itself (Documentation/admin-guide/cgroup-v2.rst). The kernel accepts
// them from the host's initial namespace and ignores them from others.
var cgroup2Options = []string{
	"nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot", "memory_hugetlb_accounting",
	"pids_localevents",
}

// cgroupOptions refuses options that a mount of type cgroup does not have. The runtime decides from the host's
// hierarchies what it mounts there, so these options would never reach the kernel. On v1 only the options of every
// mount are allowed.
func cgroupOptions(at string, m *container.Mount) error {
	for _, d := range m.Data {
		if m.Cgroup.Version != 2 || !slices.Contains(cgroup2Options, d) {
			return wrong(at+".options", "%q is not an option of a mount of type cgroup on this host", d)
		}
	}
	return nil
}

// mountIDs checks the owners in a file system's options. For an unmapped id the kernel would return a bare EINVAL.
func (c *planner) mountIDs(at string, data []string) error {
	for _, d := range data {
		key, value, _ := strings.Cut(d, "=")
		id, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			continue // The file system checks such a value itself.
		}
		switch key {
		case "uid":
			err = c.checkMapped(at+".options uid", "linux.uidMappings", c.linux.UIDMappings, uint32(id))
		case "gid":
			err = c.checkMapped(at+".options gid", "linux.gidMappings", c.linux.GIDMappings, uint32(id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// paths converts the masked and the read-only paths. As with runc, a path that is not absolute starts at the root,
// and a path that is listed twice is mounted once.
func (c *planner) paths() error {
	for _, list := range [...]struct {
		at    string
		paths []string
		into  *[]string
	}{{"linux.maskedPaths", c.linux.MaskedPaths, &c.cfg.Masked}, {"linux.readonlyPaths", c.linux.ReadonlyPaths,
		&c.cfg.Readonly}} {
		if len(list.paths) == 0 {
			continue
		}
		*list.into = make([]string, 0, len(list.paths))
		seen := seenSet{}
		for i, p := range list.paths {
			if p == "" {
				return wrong(indexed(list.at, i), "empty; want an absolute path in the container")
			}
			if !strings.HasPrefix(p, "/") {
				c.warn(fmt.Sprintf("%s[%d]: %q is not absolute and is taken from the container's root", list.at, i, p))
			}
			if p = rooted(p); !seen.has(*list.into, p) {
				*list.into = append(*list.into, p)
			}
		}
	}
	return nil
}

// rooted returns a path in the container as an absolute, clean path.
func rooted(p string) string {
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return path.Clean(p) // the same string if it is already clean
}

// seenSet reports whether a growing list already contains a path. It searches short lists directly, because a map
// takes more memory than most lists.
type seenSet map[string]bool

const shortList = 64

func (s *seenSet) has(list []string, p string) bool {
	if len(list) < shortList {
		return slices.Contains(list, p)
	}
	if len(*s) == 0 {
		*s = make(seenSet, 2*len(list))
	}
	for _, old := range list[len(*s):] {
		(*s)[old] = true
	}
	return (*s)[p]
}
