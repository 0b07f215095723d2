package spawn

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// idsOf returns the id mappings of the mount that a request is about, nil if it has none.
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

// mappedFS creates a file system with an id-mapped mount, for a mount that is not a bind. The parent must create it: a
// file system that is created in a user namespace belongs to that, which may not map its ids.
func (s *starter) mappedFS(m *container.Mount) (int, error) {
	data, attr := m.Data, m.Set
	if l := s.cfg.Container.MountLabel; l != "" {
		data = append(slices.Clone(data), "context="+l)
	}
	if m.Type == "tmpfs" {
		attr &^= unix.MOUNT_ATTR_RDONLY // the child sets it when everything in the mount exists
	}
	tree, err := sys.NewFS(m.Type, m.Source, m.FSFlags, data, attr)
	if err != nil {
		return -1, err
	}
	if err := s.mapIDs(tree, m.Destination, m.IDs, func() []string { return []string{m.Type} }); err != nil {
		_ = unix.Close(tree)
		return -1, err
	}
	return tree, nil
}

// typesAt returns a function that returns the type of the file system at a path and, if recursive, of those mounted
// below it.
func typesAt(source string, recursive bool) func() []string {
	return func() []string { return readTypes(source, recursive) }
}

func readTypes(source string, recursive bool) (types []string) {
	fd, err := unix.Open(source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	id, _, err := sys.MountOf(fd)
	data, e := os.ReadFile("/proc/self/mountinfo")
	if errors.Join(err, e) != nil {
		return nil
	}
	all, err := sys.ParseMounts(string(data))
	if err != nil {
		return nil
	}
	for _, m := range all {
		below := recursive && strings.HasPrefix(m.Point, strings.TrimSuffix(source, "/")+"/")
		if (m.ID == id || below) && !slices.Contains(types, m.Type) {
			types = append(types, m.Type)
		}
	}
	return types
}

// mapIDs maps the ids of a detached mount. types returns those of its file systems, for an error.
func (s *starter) mapIDs(tree int, source string, ids *container.MountIDs, types func() []string) error {
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
		return &os.PathError{Op: "mount_setattr MOUNT_ATTR_IDMAP", Path: source, Err: explainIDMap(err, types())}
	}
	return nil
}

// explainIDMap adds to an errno of mount_setattr(2) what it usually means here.
func explainIDMap(err error, types []string) error {
	what := "the file system"
	if len(types) > 0 {
		what = "a file system of type " + strings.Join(types, " or ")
	}
	switch err {
	case unix.EINVAL:
		return fmt.Errorf("%w (%s does not support id mappings in this kernel; none does before Linux 5.12, "+
			"and tmpfs only since 6.3)",
			err, what)
	case unix.EPERM:
		return fmt.Errorf("%w (this needs CAP_SYS_ADMIN over %s, which root of the host has; "+
			"and a mount with mappings cannot get others)", err, what)
	}
	return err
}

// idNamespace returns an empty user namespace with these mappings, or the child's own if there are none. The starter
// keeps it for other mounts.
func (s *starter) idNamespace(ids *container.MountIDs) (*os.File, error) {
	key := fmt.Sprint(ids.UIDs, ids.GIDs)
	if f := s.idNamespaces[key]; f != nil {
		return f, nil
	}
	var f *os.File
	var err error
	if len(ids.UIDs)+len(ids.GIDs) == 0 {
		f, err = openNamespace(container.NSUser, "/proc/"+strconv.Itoa(s.process.pid)+"/ns/user")
	} else {
		f, err = newIDNamespace(ids)
	}
	if err != nil {
		return nil, err
	}
	if s.idNamespaces == nil {
		s.idNamespaces = map[string]*os.File{}
	}
	s.idNamespaces[key] = f
	s.onExit(func() { _ = f.Close() })
	return f, nil
}

// newIDNamespace creates a user namespace with a traced process that stops at its first instruction, and kills the
// process once the namespace is open. Only clone(2), or unshare(2) in a process of one thread, can create one.
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
			continue // its stop as a traced process
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
