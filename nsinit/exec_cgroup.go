package nsinit

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// mountCgroup shows the container its control groups: one cgroup2 tree, or for v1 a tmpfs with one directory per
// hierarchy, cgroups(7).
func (c *child) mountCgroup(m *container.Mount, dest string) error {
	if m.Cgroup.Version == 2 {
		if len(m.Cgroup.Hierarchies) != 1 {
			return errors.New("a cgroup2 mount needs exactly one hierarchy")
		}
		h := m.Cgroup.Hierarchies[0]
		h.V2 = true
		h.Options = strings.Join(m.Data, ",")
		return c.mountHierarchy(&h, m.Set, dest)
	}
	options := c.labelled("tmpfs", []string{"mode=755", "size=0k"})
	base, err := sys.NewFS("tmpfs", "tmpfs", nil, options, m.Set&^unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return err
	}
	defer sys.Close(base)
	target, err := c.root.MkdirAll(dest, 0o755)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	if err := sys.Attach(base, target, dest); err != nil {
		return err
	}
	for i := range m.Cgroup.Hierarchies {
		h := m.Cgroup.Hierarchies[i]
		if h.V2 {
			h.Options = "" // cgroup2 on a hybrid host takes none of the mount's options
		}
		if strings.Contains(h.Name, "/") || h.Name == "" {
			return errors.New("hierarchy name \"" + h.Name + "\" is no directory's name")
		}
		if err := c.mountHierarchy(&h, m.Set, path.Join(dest, h.Name)); err != nil {
			return err
		}
		for _, l := range h.Links {
			if err := unix.Symlinkat(h.Name, base, path.Base(l)); err != nil && err != unix.EEXIST {
				return op("symlink", path.Join(dest, l), err)
			}
		}
	}
	if m.Set&unix.MOUNT_ATTR_RDONLY == 0 {
		return nil
	}
	return sys.SetAttr(base, dest, false, unix.MOUNT_ATTR_RDONLY, 0, 0)
}

// mountHierarchy mounts one hierarchy. In a cgroup namespace, a new mount shows the container's own group as its
// root. Without one, or in a user namespace that may not mount the hierarchy, the group is bound in place.
func (c *child) mountHierarchy(h *container.CgroupEntry, attr uint64, dest string) error {
	target, err := c.root.MkdirAll(dest, 0o755)
	if err != nil {
		return err
	}
	defer sys.Close(target)
	tree := -1
	if c.hasNamespace(container.NSCgroup) {
		kind, options := "cgroup", strings.Split(h.Options, ",")
		if h.V2 {
			kind = "cgroup2"
		}
		if h.Options == "" {
			options = nil
		}
		tree, err = sys.NewFS(kind, "cgroup", nil, options, attr)
	}
	if tree < 0 && (err == nil || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBUSY)) {
		if tree, err = c.source(h.Path, false); err == nil {
			err = sys.SetAttr(tree, dest, false, attr, 0, 0)
		}
	}
	defer sys.Close(tree)
	if err != nil {
		return err
	}
	return sys.Attach(tree, target, dest)
}
