package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/criu"
	"github.com/handfast/handfast/internal/criu/plan"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/smallfile"
	"github.com/handfast/handfast/internal/sys"
)

// CheckpointOptions are the options of checkpoint.
type CheckpointOptions struct {
	ID string
	plan.Flags
	StatusFD int // with LazyPages: gets a zero byte when the pages can be fetched; negative: none. It is closed then
}

// Checkpoint saves a running or paused container's processes in files, with CRIU. Then the container has ended and is
// deleted, except with LeaveRunning and PreDump. After an error it goes on. If ctx ends, CRIU gives up as soon as that
// is safe for the processes, unless it is done by then.
func (r *Runtime) Checkpoint(ctx context.Context, o CheckpointOptions) error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := checkStatusFD(o.StatusFD); err != nil {
		return err
	}
	dir, s, err := r.open(o.ID, false)
	if err != nil {
		return err
	}
	defer dir.Close()
	status, err := r.status(s, true)
	if err != nil {
		return err
	}
	if status != state.Running && status != state.Paused {
		return fmt.Errorf("cannot checkpoint container %s: container not running: it is %s", o.ID, status)
	}
	if err := r.dump(ctx, &o, s); err != nil {
		if status == state.Running {
			err = Join(err, r.unfreeze(s)) // for a CRIU that was killed
		}
		return fmt.Errorf("cannot checkpoint container %s: %w", o.ID, err)
	}
	if o.LeaveRunning || o.PreDump {
		return nil
	}
	return r.destroy(dir, s)
}

func checkStatusFD(fd int) error {
	if fd < 0 {
		return nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return fmt.Errorf("--status-fd %d: %w", fd, err)
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		return fmt.Errorf("--status-fd %d: not writable: %w", fd, unix.EBADF)
	}
	unix.CloseOnExec(fd) // else CRIU, which inherits it, delays the end of file
	return nil
}

// dump decides and carries out a checkpoint, up to the end of CRIU.
func (r *Runtime) dump(ctx context.Context, o *CheckpointOptions, s *state.State) error {
	if err := checkpointable(s); err != nil {
		return err
	}
	c, err := r.describe(s)
	if err != nil {
		return err
	}
	options, err := plan.Checkpoint(&o.Flags, c)
	if err != nil {
		return err
	}
	im, err := openImages(&o.Flags, plan.DumpLog, true)
	if err != nil {
		return err
	}
	defer im.close()
	if err := im.admit(s.PID); err != nil {
		return fmt.Errorf("--image-path: %w", err)
	}
	im.give(options)
	request := &criu.Request{Type: criu.Dump, Options: options}
	if o.PreDump {
		request.Type = criu.PreDump
	} else if err := im.writeStreams(c.StreamNames()); err != nil {
		return err
	}
	// An interrupt at the terminal must not end CRIU, which would leave its code in the processes. But a page server,
	// which waits for somebody to fetch the pages, ends in no other way.
	client, err := criu.Start(criu.StartOptions{Apart: !o.LazyPages})
	if err != nil {
		return err
	}
	r.enter(phaseSave)
	version, err := client.Check(ctx, o.Features())
	if err == nil {
		r.Log.Debugf("container %s: criu %s: %v\n%s", s.ID, version, request.Type, options)
		_, err = client.Do(ctx, request, func(n *criu.Notification, f *os.File) error {
			_ = f.Close() // there is none: closing a nil File is harmless
			r.Log.Debugf("container %s: criu: %s", s.ID, n.Script)
			if n.Script == "status-ready" && o.StatusFD >= 0 {
				return r.tellReady(&o.StatusFD)
			}
			return nil
		})
	}
	return im.explain(Join(err, client.Close()))
}

// tellReady says on --status-fd that a page server waits, and closes the descriptor, for whose end of file others may
// wait.
func (r *Runtime) tellReady(fd *int) error {
	_, err := unix.Write(*fd, []byte{0})
	err = Join(err, unix.Close(*fd))
	*fd = -1
	if err != nil {
		return fmt.Errorf("--status-fd: %w", err)
	}
	return nil
}

// checkpointable refuses what CRIU would not restore, or with less protection than before.
func checkpointable(s *state.State) error {
	switch {
	case s.Gate != "" && isFile(s.Gate): // paused before its start
		return errors.New("container not running: it was not started")
	case s.Shared != nil && s.Shared.Landlock != nil:
		return fmt.Errorf("CRIU does not restore the rules of Landlock (annotations.%s): %w", oci.AnnotationLandlock,
			unix.EOPNOTSUPP)
	case s.Seccomp == state.SeccompListener:
		return fmt.Errorf("CRIU does not restore the listener of linux.seccomp: %w", unix.EOPNOTSUPP)
	}
	own, err := ownNamespace(s.PID, "mnt")
	if err == nil && !own {
		err = fmt.Errorf("it has no mount namespace of its own: %w", unix.EOPNOTSUPP)
	}
	return err
}

// ownNamespace reports whether a process is in another namespace of this type than this process.
func ownNamespace(pid int, kind string) (bool, error) {
	theirs, err := namespaceInode(pid, kind)
	if err != nil {
		return false, err
	}
	ours, err := namespaceInode(os.Getpid(), kind)
	return theirs != ours, err
}

func namespaceInode(pid int, kind string) (uint64, error) {
	var st unix.Stat_t
	path := fmt.Sprintf("/proc/%d/ns/%s", pid, kind)
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Ino, nil
}

// describe returns what the plan needs to know of a container.
func (r *Runtime) describe(s *state.State) (*plan.Container, error) {
	c := &plan.Container{PID: s.PID, Rootfs: s.Rootfs, Annotations: s.Annotations, HasConfig: isFile}
	for _, kind := range s.Joined {
		inode, err := namespaceInode(s.PID, namespaceFile(kind))
		if err != nil {
			return nil, err
		}
		c.Joined = append(c.Joined, plan.Joined{Kind: kind, Inode: inode})
	}
	var err error
	if c.Mounts, err = mountsOf(strconv.Itoa(s.PID)); err != nil {
		return nil, err
	}
	if c.HostMounts, err = mountsOf("self"); err != nil {
		return nil, err
	}
	if c.Cgroup, err = ownNamespace(s.PID, "cgroup"); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	for fd, name := range s.Streams {
		stream, err := describeStream(s.PID, fd, name)
		if err != nil {
			return nil, err
		}
		c.Streams = append(c.Streams, stream)
	}
	return c, r.withGroup(context.Background(), s, func(_ context.Context, g *cgroupfs.Group) error {
		dirs := g.Dirs()
		if c.Freeze = dirs["freezer"]; c.Freeze == "" {
			c.Freeze = dirs[""] // v2
		}
		return nil
	})
}

// describeStream returns a standard stream that had this name when the process was made.
func describeStream(pid, fd int, name string) (plan.Stream, error) {
	s := plan.Stream{Name: name}
	var st unix.Stat_t
	path := fmt.Sprintf("/proc/%d/fd/%d", pid, fd)
	if err := unix.Stat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return s, nil //nolint:nilerr // the program has closed it, or it is no file with a place on a mount
	}
	text, err := smallfile.Read(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "mnt_id:"); found {
			if s.Mount, err = strconv.ParseUint(strings.TrimSpace(value), 10, 64); err != nil {
				return s, &os.PathError{Op: "parse", Path: path, Err: err}
			}
		}
	}
	s.Inode = st.Ino
	return s, nil
}

func mountsOf(process string) ([]plan.Mount, error) {
	text, err := smallfile.Read("/proc/" + process + "/mountinfo")
	if err != nil {
		return nil, err
	}
	return sys.ParseMounts(string(text))
}

func isFile(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil
}

// streamNames returns the names of this process's standard streams, which a container inherits.
func streamNames() []string {
	names := make([]string, 3)
	buf := make([]byte, unix.PathMax)
	for fd := range names {
		n, err := unix.Readlink("/proc/self/fd/"+strconv.Itoa(fd), buf)
		if err == nil { // else it is closed, or there is no procfs
			names[fd] = string(buf[:n])
		}
	}
	return names
}
