package lifecycle

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/bound"
	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/criu"
	"github.com/handfast/handfast/internal/criu/plan"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/smallfile"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// RestoreOptions are the options of restore. Of CreateOptions only ID, Bundle, PIDFile, ConsoleSocket and NoPivot have
// a meaning; NoPivot has no effect, because CRIU changes the root.
type RestoreOptions struct {
	CreateOptions
	plan.Flags
	Detach      bool
	Keep        bool // leave the state of a container that has ended
	NoSubreaper bool // do not adopt the container's orphans
}

// Restore makes a container from the bundle, as Run does, but with the processes that a checkpoint has saved. Detached,
// it returns when they go on. In the foreground it returns the exit status once the first one has ended and the
// container is removed. After an error nothing of the container is left.
func (r *Runtime) Restore(ctx context.Context, o RestoreOptions) (status int, err error) {
	if err := o.Check(); err != nil {
		return 0, err
	}
	im, err := openImages(&o.Flags, plan.RestoreLog, false)
	if err != nil {
		return 0, err
	}
	defer im.close()
	c, err := r.begin(o.CreateOptions, o.Detach, false)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if !o.Detach {
		if ctx, err = c.watchForeground(ctx, o.NoSubreaper); err != nil {
			return 0, Join(err, c.undo())
		}
	}
	if err := (&restoration{creation: c, flags: &o.Flags, images: im}).make(ctx); err != nil {
		return 0, fmt.Errorf("cannot restore container %s: %w", o.ID, err)
	}
	if o.Detach {
		return 0, Join(c.process.Release(), c.dir.Close())
	}
	return c.foreground(o.Keep)
}

// restoration is a creation whose processes CRIU makes.
type restoration struct {
	*creation
	flags  *plan.Flags
	images *images
	client *criu.Client
}

// make makes the group and the processes. After an error nothing is left of the container, including its state, or the
// error says what is left.
func (c *restoration) make(ctx context.Context) error {
	err := c.restorable()
	if err == nil {
		err = c.makeGroup()
	}
	if err == nil {
		err = c.makeClass()
	}
	if err == nil {
		err = c.restore(ctx)
	}
	if err != nil {
		return Join(err, c.end(), c.undo())
	}
	return nil
}

// restorable refuses what a restored container would not have.
func (c *restoration) restorable() error {
	switch {
	case c.plan.Spawn.Container.Process.Landlock != nil:
		return c.inConfig(fmt.Errorf("annotations.%s: CRIU does not restore these rules: %w", oci.AnnotationLandlock,
			unix.EOPNOTSUPP))
	case len(c.plan.Spawn.NetDevices) > 0:
		return c.inConfig(fmt.Errorf("linux.netDevices: not moved into a restored container: %w", unix.EOPNOTSUPP))
	case !c.ownMounts():
		return c.inConfig(fmt.Errorf("linux.namespaces: CRIU needs a mount namespace for the container: %w",
			unix.EOPNOTSUPP))
	}
	return nil
}

// restore runs CRIU from its start to its end.
func (c *restoration) restore(ctx context.Context) error {
	streams, err := c.images.readStreams()
	if err != nil {
		return fmt.Errorf("--image-path: %w (is it that of a complete checkpoint?)", err)
	}
	b := &plan.Bundle{Annotations: c.state.Annotations, Streams: streams, HasConfig: isFile}
	files, err := c.joins(b)
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil {
		return err
	}
	if err := c.ownStreams(); err != nil {
		return err
	}
	if err := c.start(b, files); err != nil {
		return err
	}
	if c.place != cgroupdriver.Stays { // as in end
		stop := context.AfterFunc(ctx, c.client.Kill)
		defer stop()
	}
	c.r.enter(phaseRestore)
	version, err := c.client.Check(ctx, c.flags.Features())
	if err != nil {
		return err
	}
	if err := c.enterGroup(ctx, b); err != nil {
		return err
	}
	options, err := plan.Restore(c.flags, b)
	if err != nil {
		return err
	}
	c.images.give(options)
	c.r.Log.Debugf("container %s: criu %s: restore\n%s", c.o.ID, version, options)
	request := &criu.Request{Type: criu.Restore, Options: options}
	if _, err = c.client.Do(ctx, request, func(n *criu.Notification, f *os.File) error {
		c.r.Log.Debugf("container %s: criu: %s", c.o.ID, n.Script)
		return c.notified(ctx, n, f)
	}); err != nil {
		return c.images.explain(err)
	}
	if c.state.Creating {
		return fmt.Errorf("%w: a restore without the notification post-restore", criu.ErrMessage)
	}
	err = c.client.Close()
	c.client = nil
	_ = os.Remove(c.dir.Path(rootMount)) // empty: the mount was CRIU's alone
	return err
}

// ownStreams gives the standard streams that are files or pipes to the container's user, as a create does: CRIU opens
// them by their names in /proc, with that user's rights.
func (c *restoration) ownStreams() error {
	uid, mapped := hostUser(c.plan)
	if c.state.Console || !mapped {
		return nil
	}
	for fd := range 3 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Uid == uid {
			continue
		}
		if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFIFO {
			continue
		}
		switch err := unix.Fchown(fd, int(uid), -1); err {
		case nil, unix.EPERM, unix.EROFS: // not ours: as good as it was
		default:
			return fmt.Errorf("fchown standard stream %d: %w", fd, err)
		}
	}
	return nil
}

// joins opens the namespaces to join that CRIU wants as files, which it gets after its own descriptors. The caller
// closes them, in case of an error too.
func (c *restoration) joins(b *plan.Bundle) (files []*os.File, err error) {
	for _, n := range c.plan.Spawn.Namespaces {
		if n.Path == "" {
			continue
		}
		j := plan.Join{Kind: n.Kind, Path: n.Path}
		if plan.NeedsFD(n.Kind) {
			f, err := os.Open(n.Path)
			if err != nil {
				return files, c.inConfig(fmt.Errorf("linux.namespaces: %w", err))
			}
			j.FD = int32(criu.FirstExtra + len(files))
			files = append(files, f)
		}
		b.Joins = append(b.Joins, j)
	}
	return files, nil
}

// rootMount is the directory beside the state on which CRIU finds the root file system.
const rootMount = "criu-root"

// start starts CRIU in a mount namespace of its own, in which the root file system is a mount point as CRIU requires.
// That namespace ends with CRIU, whatever happens, and the host's mounts stay as they are.
func (c *restoration) start(b *plan.Bundle, files []*os.File) error {
	b.Root = c.dir.Path(rootMount)
	if err := os.Mkdir(b.Root, 0o755); err != nil {
		return err
	}
	for _, d := range c.plan.Spawn.Container.Devices {
		b.Devices = append(b.Devices, d.Path)
	}
	if err := sys.OnThread(func() error { return c.startHere(b, files) }); err != nil || c.notifies {
		return err
	}
	spare, err := c.spareNotifyDir()
	b.Binds = append(b.Binds, spare)
	return err
}

// startHere changes the calling thread's namespace and starts CRIU from there.
func (c *restoration) startHere(b *plan.Bundle, files []*os.File) (err error) {
	if name := c.state.Keyring; name != "" {
		// The processes inherit the session keyring of CRIU, which must not be the caller's.
		if err := sys.JoinKeyring(name); err != nil {
			return err
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare CLONE_NEWNS", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "mount MS_SLAVE", Path: "/", Err: err}
	}
	if err := unix.Mount(c.plan.Rootfs, b.Root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "mount MS_BIND", Path: c.plan.Rootfs, Err: err}
	}
	if b.Binds, err = c.mountPoints(b.Root); err != nil {
		return err
	}
	if err := c.images.enter(); err != nil {
		return err
	}
	o := criu.StartOptions{Extra: files}
	if !c.state.Console {
		o.Files = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	}
	c.client, err = criu.Start(o)
	return err
}

// enterGroup moves CRIU into the container's group, so that everything that it makes is there from the beginning, and
// sets the limits. It notes the group as the place of those that the image has.
func (c *restoration) enterGroup(ctx context.Context, b *plan.Bundle) error {
	if c.place != cgroupdriver.Stays {
		if err := Join(c.cgroup.Join(ctx, c.client.PID()), c.cgroup.Limit()); err != nil {
			return err
		}
	}
	text, err := smallfile.Read("/proc/" + strconv.Itoa(c.client.PID()) + "/cgroup")
	if err != nil {
		return err
	}
	b.Cgroups = plan.CgroupRoots(string(text))
	return nil
}

// notified acts on a notification of CRIU, which waits meanwhile. It owns the descriptor.
func (c *restoration) notified(ctx context.Context, n *criu.Notification, f *os.File) error {
	if n.Script == "orphan-pts-master" {
		return c.terminalMade(ctx, f)
	}
	_ = f.Close() // there is none: closing a nil File is harmless
	switch n.Script {
	case "setup-namespaces":
		return c.namespacesMade(ctx, int(n.PID))
	case "post-restore":
		if c.process == nil {
			return fmt.Errorf("%w: post-restore before setup-namespaces", criu.ErrMessage)
		}
		if err := c.Ready(ctx, c.process.PID()); err != nil {
			return err
		}
		if c.watch != nil {
			c.watch.complete() // the processes go on when this function returns
		}
	}
	return nil
}

// namespacesMade stores the first process, which exists with its namespaces by now and has no children yet, and runs
// the hooks that want these. The network namespace is empty, and lo is all that a create would set up there.
func (c *restoration) namespacesMade(ctx context.Context, pid int) (err error) {
	if c.process != nil {
		return fmt.Errorf("%w: setup-namespaces twice", criu.ErrMessage)
	}
	if c.process, err = spawn.Adopt(pid); err != nil {
		return err
	}
	if c.state.StartTime, _, err = state.ProcessStart(pid); err != nil {
		return err
	}
	c.state.PID = pid
	if err := c.save(); err != nil {
		return err
	}
	if err := Join(joinClass(&c.state, pid), ownCores(&c.state, pid)); err != nil {
		return err
	}
	if newNetwork(c.plan.Spawn.Namespaces) {
		if err := loopbackUp(pid); err != nil {
			return err
		}
	}
	return c.runtimeHooks(ctx)
}

func newNetwork(all []spawn.Namespace) bool {
	for _, n := range all {
		if n.Kind == container.NSNetwork && n.Path == "" {
			return true
		}
	}
	return false
}

// loopbackUp brings up lo in the network namespace of a process.
func loopbackUp(pid int) error {
	ns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	return sys.OnThread(func() error {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return sys.LoopbackUp()
	})
}

// terminalMade passes on the master of the container's terminal, which it owns.
func (c *restoration) terminalMade(ctx context.Context, master *os.File) error {
	if master == nil {
		return fmt.Errorf("%w: orphan-pts-master without a descriptor", criu.ErrMessage)
	}
	if c.terminal.proxy != nil {
		_ = master.Close()
		return fmt.Errorf("the image has a second terminal, and only one is shown here; restore it with --detach and "+
			"--console-socket: %w", unix.EOPNOTSUPP)
	}
	if !c.state.Console {
		_ = master.Close()
		return c.inConfig(fmt.Errorf("process.terminal: it is false, and the image has a terminal: %w", unix.EINVAL))
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		_ = master.Close()
		return os.NewSyscallError("ioctl TIOCGPTN", err)
	}
	return c.Console(ctx, master, "/dev/pts/"+strconv.Itoa(number))
}

// end ends CRIU and the processes that it has made so far.
func (c *restoration) end() error {
	var errs []error
	if c.client != nil {
		if c.place != cgroupdriver.Stays {
			c.client.Kill() // undo finds its processes by their group; without one CRIU must end them
		}
		errs = append(errs, c.client.Close())
	}
	if c.process == nil {
		return Join(errs...)
	}
	ctx, cancel := bound.Within(context.Background(), patience)
	defer cancel()
	_ = c.process.Signal(unix.SIGKILL) // an error means that it has ended
	_, err := c.process.Wait(ctx)
	return Join(append(errs, err, c.process.Release())...)
}
