package lifecycle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/smallfile"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// load reads the bundle and decides what its configuration means. It makes nothing.
func (c *creation) load() error {
	spec, bundle, err := oci.LoadBundle(c.o.Bundle, c.o.Config)
	if err != nil {
		return err
	}
	account.End("configuration read")
	c.r.enter(phaseDecide)
	c.file = oci.ConfigFile(bundle, c.o.Config)
	host, err := c.hostFacts(spec, bundle)
	if err != nil {
		return err
	}
	c.plan, err = oci.Plan(spec, oci.Options{Bundle: bundle, ID: c.o.ID, NoPivot: c.o.NoPivot,
		PreserveFDs: c.o.PreserveFDs, Host: host})
	if err != nil {
		return c.inConfig(err)
	}
	if err := c.addListening(); err != nil {
		return err
	}
	if err := oci.CheckRootfs(c.plan.Rootfs); err != nil {
		return err
	}
	if err := c.makeFilter(c.plan.Seccomp); err != nil {
		return c.inConfig(err)
	}
	for _, w := range c.plan.Warnings {
		c.r.Log.Warnf("%s", w)
	}
	c.state = state.State{
		OCIVersion: spec.Version, ID: c.o.ID, Bundle: bundle, Rootfs: c.plan.Rootfs, Created: time.Now().UTC(),
		Owner:       state.UserName(os.Geteuid()),
		Annotations: c.plan.Annotations, Creating: true, Console: c.plan.Spawn.Container.Process.Terminal,
		SharedPID: !ownPIDNamespace(c.plan.Spawn.Namespaces),
		NoProcess: len(c.plan.Spawn.Container.Process.Args) == 0,
		Shared:    state.Share(&c.plan.Spawn.Container.Process, c.plan.CoreScheduling),
		Seccomp:   filterWord(c.filter),
		Poststart: c.plan.Hooks.Poststart, Poststop: c.plan.Hooks.Poststop,
	}
	if c.plan.Spawn.Container.Root.OnHost {
		if c.state.BelowRootfs, err = mountBelow(c.state.Rootfs); err != nil {
			return err
		}
	}
	if !c.state.Console {
		c.state.Streams = streamNames()
	}
	for _, n := range c.plan.Spawn.Namespaces {
		if n.Path != "" {
			c.state.Joined = append(c.state.Joined, n.Kind)
		}
	}
	if !c.o.NoNewKeyring {
		c.state.Keyring = "_ses." + c.o.ID
		c.plan.Spawn.Container.Process.Keyring = c.state.Keyring
	}
	c.notifyMount()
	if spec.Process != nil {
		// Later changes to the bundle do not affect the container.
		if c.state.Process = spec.ProcessText; c.state.Process == nil {
			if c.state.Process, err = json.Marshal(spec.Process); err != nil {
				return err
			}
		}
		// The limit is more than execve(2) accepts (three quarters of _STK_LIM, Linux fs/exec.c). Later commands
		// could not read a larger state.
		if n := len(c.state.Process); n > processLimit {
			return c.inConfig(fmt.Errorf("process: %d bytes; want at most %d", n, processLimit))
		}
	}
	return nil
}

// ownPIDNamespace reports whether the container gets a pid namespace of its own. When the first process of that
// ends, so do all the others.
func ownPIDNamespace(all []spawn.Namespace) bool {
	return slices.ContainsFunc(all, func(n spawn.Namespace) bool { return n.Kind == container.NSPid && n.Path == "" })
}

// links returns the text of the symbolic links that are to be copied, by their paths. A source that cannot be read is
// left to its bind mount, which reports why.
func links(mounts []oci.Mount, bundle string) map[string]string {
	var all map[string]string
	for i := range mounts {
		source, copies := mounts[i].CopiedLink(bundle)
		if !copies {
			continue
		}
		if text, err := os.Readlink(source); err == nil {
			if all == nil {
				all = make(map[string]string)
			}
			all[source] = text
		}
	}
	return all
}

// hostFacts returns what the conversion needs to know about this process and the host.
func (c *creation) hostFacts(spec *oci.Spec, bundle string) (oci.Host, error) {
	host := oci.Host{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Links: links(spec.Mounts, bundle)}
	// user_namespaces(7): every namespace below inherits "deny" from here. The file is missing only before Linux
	// 3.19.
	if data, err := smallfile.Read("/proc/self/setgroups"); err == nil {
		host.SetGroupsDenied = bytes.HasPrefix(data, []byte("deny"))
	}
	mountLabel := ""
	if spec.Linux != nil {
		mountLabel = spec.Linux.MountLabel
	}
	labelFacts(&host, spec.Process, mountLabel)
	if spec.Annotations[oci.AnnotationLandlock] != "" {
		host.LandlockABI = landlockABI()
	}
	layout, err := c.r.host()
	if err != nil {
		return host, err
	}
	host.Cgroup = cgroupHost(layout)
	if err := c.openDriver(layout); err != nil {
		return host, err
	}
	if base, ok := c.cgroup.UnitBase(); ok {
		host.Systemd = &oci.Systemd{User: !Privileged(), Base: base}
	}
	return host, nil
}
