package spawn

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

// idsOf are the mappings of the mount that a request is about, nil if it has none.
func (s *starter) idsOf(arg *container.MountArg) (*container.MountIDs, error) {
	if arg.Mount == 0 {
		return nil, nil
	}
	mounts := s.cfg.Container.Mounts
	if arg.Mount < 0 || arg.Mount > len(mounts) || mounts[arg.Mount-1].Source != arg.Source {
		return nil, fmt.Errorf("mount %d of the configuration is not one of %q: %w", arg.Mount, arg.Source, unix.EPERM)
	}
	return mounts[arg.Mount-1].IDs, nil
}

// mapIDs has a detached mount show its owners as others.
func (s *starter) mapIDs(tree int, source string, ids *container.MountIDs) error {
	ns, err := s.idNamespace(ids)
	if err != nil {
		return fmt.Errorf("ids of the mount %s: %w", source, err)
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if ids.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())}
	err = unix.MountSetattr(tree, "", flags, &attr)
	runtime.KeepAlive(ns)
	if err != nil {
		return &os.PathError{Op: "mount_setattr MOUNT_ATTR_IDMAP", Path: source, Err: explainIDMap(err)}
	}
	return nil
}

// explainIDMap adds to an errno of mount_setattr(2) what it usually means here.
func explainIDMap(err error) error {
	switch err {
	case unix.EINVAL:
		return fmt.Errorf("%w (the file system, or one below it, takes no mappings; no kernel before Linux 5.12 does)", err)
	case unix.EPERM:
		return fmt.Errorf("%w (it takes CAP_SYS_ADMIN over the file system; and what has mappings is given no others)",
			err)
	}
	return err
}

// idNamespace is a user namespace with these mappings, which nobody is in. The start keeps it for its other mounts.
func (s *starter) idNamespace(ids *container.MountIDs) (*os.File, error) {
	key := fmt.Sprint(ids.UIDs, ids.GIDs)
	if f := s.idNamespaces[key]; f != nil {
		return f, nil
	}
	f, err := newIDNamespace(ids)
	if err != nil {
		return nil, err
	}
	if s.idNamespaces == nil {
		s.idNamespaces = map[string]*os.File{}
	}
	s.idNamespaces[key] = f
	s.later(func() { _ = f.Close() })
	return f, nil
}

// newIDNamespace makes a user namespace by a process that stops at its first instruction, as the traced process of this
// one, and is ended once the namespace is held. A namespace is made with a process, or by a process of one thread.
func newIDNamespace(ids *container.MountIDs) (*os.File, error) {
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	attr := &syscall.ProcAttr{Dir: "/", Env: []string{}, Sys: &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: idRanges(ids.UIDs), GidMappings: idRanges(ids.GIDs), Ptrace: true,
		Pdeathsig: unix.SIGKILL,
	}}
	pid, _, err := syscall.StartProcess("/proc/self/exe", []string{"handfast"}, attr)
	if err != nil {
		return nil, fmt.Errorf("a user namespace with the mappings %v and %v: %w", ids.UIDs, ids.GIDs, err)
	}
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/user")
	_ = unix.Kill(pid, unix.SIGKILL)
	for {
		var status syscall.WaitStatus
		n, e := syscall.Wait4(pid, &status, syscall.WALL, nil)
		if e == syscall.EINTR || e == nil && n == pid && status.Stopped() {
			continue // the stop that it was in
		}
		return f, err
	}
}

func idRanges(in []container.IDRange) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(in))
	for i, r := range in {
		out[i] = syscall.SysProcIDMap{ContainerID: int(r.Container), HostID: int(r.Host), Size: int(r.Size)}
	}
	return out
}
