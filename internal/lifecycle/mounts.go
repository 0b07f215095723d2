package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// AddMounts adds mounts to an existing container. The file lists them in the form of the configuration's mounts.
// The mounts are created here, where their sources are, and brought into the container's mount namespace by
// descriptor. After an error none of them is attached; mount points that were created for them remain.
func (r *Runtime) AddMounts(id, file string) error {
	list, err := oci.LoadMounts(file)
	if err != nil {
		return err
	}
	return r.inMountsOf(id, func(s *state.State, at *place, dir *state.Dir) error {
		mounts, warnings, err := oci.PlanMounts(list, s.Bundle, at.userns)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, w := range warnings {
			r.Log.Warnf("%s: %s", file, w)
		}
		trees := make([]int, 0, len(mounts))
		defer func() {
			for _, t := range trees {
				sys.Close(t)
			}
		}()
		for i := range mounts {
			tree, err := detached(&mounts[i])
			if err != nil {
				return fmt.Errorf("mounts[%d]: %w", i, err)
			}
			trees = append(trees, tree)
		}
		// Stored before the mounts are attached, so that a later command can remove what a killed one has mounted.
		before := len(s.AddedMounts)
		for i := range mounts {
			id, _, err := sys.MountOf(trees[i])
			if err != nil {
				return err
			}
			s.AddedMounts = append(s.AddedMounts, state.AddedMount{Destination: mounts[i].Destination, Mount: id})
		}
		if err := dir.Save(s); err != nil {
			return err
		}
		err = at.inside(func(in *insideMounts) error { return in.attachAll(mounts, trees) })
		if err != nil {
			s.AddedMounts = s.AddedMounts[:before]
			return Join(err, dir.Save(s))
		}
		return nil
	})
}

// RemoveMounts removes mounts that AddMounts has made. Of each mount in the file only the destination matters.
func (r *Runtime) RemoveMounts(id, file string) error {
	list, err := oci.LoadMounts(file)
	if err != nil {
		return err
	}
	return r.inMountsOf(id, func(s *state.State, at *place, dir *state.Dir) error {
		for i, m := range list {
			destination := path.Join("/", m.Destination)
			n := -1
			for k, added := range s.AddedMounts {
				if added.Destination == destination {
					n = k // the last one is the topmost
				}
			}
			if n < 0 {
				return fmt.Errorf("%s: mounts[%d].destination: %q is no mount that was added to container %s", file, i,
					destination, id)
			}
			added := s.AddedMounts[n]
			if err := at.inside(func(in *insideMounts) error { return in.detach(added.Destination, added.Mount) }); err != nil {
				return err
			}
			s.AddedMounts = slices.Delete(s.AddedMounts, n, n+1)
			if err := dir.Save(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// place is the mount namespace of a container.
type place struct {
	init   *handle
	userns bool // it belongs to another user namespace than this process's
}

// inMountsOf calls do for a container that has a process, while it holds the container's lock.
func (r *Runtime) inMountsOf(id string, do func(*state.State, *place, *state.Dir) error) error {
	dir, s, err := r.open(id, false)
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := r.status(s, true)
	if err != nil {
		return err
	}
	if status != state.Running && status != state.Created && status != state.Paused {
		return fmt.Errorf("cannot change the mounts of container %s: it is %s", id, status)
	}
	init, err := openProcess(s.PID, s.StartTime)
	if err != nil {
		return fmt.Errorf("cannot change the mounts of container %s: %w", id, err)
	}
	defer init.close()
	same, err := sameNamespace(s.PID, "mnt")
	if err != nil {
		return err
	}
	if same {
		return fmt.Errorf("cannot change the mounts of container %s: it has no mount namespace of its own, "+
			"they would be the host's", id)
	}
	same, err = sameNamespace(s.PID, "user")
	if err != nil {
		return err
	}
	if !same && !Privileged() {
		return fmt.Errorf("cannot change the mounts of container %s: its user namespace is another one, "+
			"which takes root: %w", id, unix.EPERM)
	}
	return do(s, &place{init: init, userns: !same}, dir)
}

// sameNamespace reports whether a process shares a namespace with this one.
func sameNamespace(pid int, kind string) (bool, error) {
	theirs, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/" + kind)
	if err != nil {
		return false, err
	}
	ours, err := os.Readlink("/proc/self/ns/" + kind)
	return ours == theirs, err
}

// insideMounts is a thread's view of a container's mounts. The container can redirect paths by links, links of
// procfs included, so root is a sys.Root, which no path leads out of.
type insideMounts struct {
	root *sys.Root
	fds  int // /proc/self/fd in the host's procfs, because umount2(2) takes no descriptor
}

// inside runs do on a thread in the container's mount namespace. The thread then ends, because it could not return
// to its own namespace.
func (p *place) inside(do func(in *insideMounts) error) error {
	fds, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/proc/self/fd", Err: err}
	}
	defer sys.Close(fds)
	return sys.OnThread(func() error {
		// A thread that shares its root with others may not enter a mount namespace, setns(2).
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		rc, err := p.init.pidfd.SyscallConn()
		if err != nil {
			return err
		}
		if e := rc.Control(func(fd uintptr) { err = unix.Setns(int(fd), unix.CLONE_NEWNS) }); e != nil {
			return e
		}
		if err != nil {
			return fmt.Errorf("entering the mount namespace of process %d: %w", p.init.pid, os.NewSyscallError("setns", err))
		}
		fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: "/", Err: err}
		}
		root := sys.NewRoot(fd, "/")
		defer root.Close()
		return do(&insideMounts{root: root, fds: fds})
	})
}

// detached creates a mount that is not attached anywhere yet. The caller owns the descriptor.
func detached(m *container.Mount) (tree int, err error) {
	if !m.Bind {
		return sys.NewFS(m.Type, m.Source, m.FSFlags, m.Data, m.Set)
	}
	if tree, err = sys.ClonePath(m.Source, m.Recursive); err != nil {
		return -1, err
	}
	if set, clear := sys.BindAttrs(m.Set, m.Clear); set|clear != 0 {
		err = sys.SetAttr(tree, m.Source, false, set, clear, 0)
	}
	if err == nil && m.RecSet|m.RecClear != 0 {
		err = sys.SetAttr(tree, m.Source, true, m.RecSet, m.RecClear, 0)
	}
	if err != nil {
		sys.Close(tree)
		return -1, err
	}
	return tree, nil
}

// attachAll attaches all of the mounts, or none.
func (in *insideMounts) attachAll(mounts []container.Mount, trees []int) error {
	for i := range mounts {
		if err := in.attach(&mounts[i], trees[i]); err != nil {
			err = fmt.Errorf("mounts[%d]: mount %s: %w", i, mounts[i].Destination, err)
			for i--; i >= 0; i-- {
				err = Join(err, in.unmount(trees[i], mounts[i].Destination))
			}
			return err
		}
	}
	return nil
}

func (in *insideMounts) attach(m *container.Mount, tree int) error {
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	var target int
	var err error
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		target, err = in.root.MkdirAll(m.Destination, 0o755)
	} else {
		target, err = in.root.CreateFile(m.Destination)
	}
	if err != nil {
		return err
	}
	defer sys.Close(target)
	// A link in the container may have led to /proc, where a mount would hide files that the runtime and others
	// read.
	if magic, err := sys.FSType(target); err != nil || magic == unix.PROC_SUPER_MAGIC {
		return errors.Join(err, fmt.Errorf("%s is in a procfs: %w", m.Destination, unix.EINVAL))
	}
	if err := sys.Attach(tree, target, m.Destination); err != nil {
		return err
	}
	if m.Propagation == 0 {
		return nil
	}
	if err := sys.SetAttr(tree, m.Destination, m.Propagation&unix.MS_REC != 0, 0, 0,
		m.Propagation&^unix.MS_REC); err != nil {
		return errors.Join(err, in.unmount(tree, m.Destination))
	}
	return nil
}

// detach unmounts the mount with this id, which must be on top of the path.
func (in *insideMounts) detach(destination string, id uint64) error {
	fd, err := in.root.Path(destination)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	found, top, err := sys.MountOf(fd)
	if err != nil {
		return err
	}
	if !top || found != id {
		return fmt.Errorf("%s: what was mounted there is not there any more, or is covered: %w", destination, unix.EINVAL)
	}
	return in.unmount(fd, destination)
}

// unmount unmounts the mount whose root the descriptor refers to. The mount disappears at once, and is released
// when nothing uses it any more.
func (in *insideMounts) unmount(fd int, name string) error {
	if err := unix.Fchdir(in.fds); err != nil {
		return &os.PathError{Op: "fchdir", Path: "/proc/self/fd", Err: err}
	}
	if err := unix.Unmount(strconv.Itoa(fd), unix.MNT_DETACH); err != nil {
		return &os.PathError{Op: "umount2", Path: name, Err: err}
	}
	return nil
}
