package lifecycle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// processLimit bounds the JSON text of a process: both the file that --process names and the process that is stored
// from the configuration.
const processLimit = 8 << 20

// load returns the process to execute: the one of --process or of the container's own configuration, with the
// changes from the command line.
func (e *execution) load() (*oci.Process, error) {
	p := new(oci.Process)
	switch {
	case e.o.Process != "":
		data, err := readProcess(e.o.Process)
		if err != nil {
			return nil, fmt.Errorf("--process: %w", err)
		}
		if p, err = oci.DecodeProcess(data, e.o.Process); err != nil {
			return nil, err
		}
		if len(e.state.Process) > 0 {
			own, err := e.stored()
			if err != nil {
				return nil, err
			}
			p.Complete(own)
		}
	case len(e.state.Process) > 0:
		var err error
		if p, err = e.stored(); err != nil {
			return nil, err
		}
		p.Terminal, p.ConsoleSize = false, nil // these describe the first process's own terminal
	default:
		p.Cwd = "/" // a container without a process of its own
	}
	return e.o.Changes.Apply(p), nil
}

// stored returns the process of the container's configuration.
func (e *execution) stored() (*oci.Process, error) {
	p, err := oci.StoredProcess(e.state.Process)
	if err != nil {
		return nil, fmt.Errorf("container %s: the stored process: %w", e.o.ID, err)
	}
	return p, nil
}

func readProcess(path string) ([]byte, error) {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, processLimit+1))
	if err == nil && len(data) > processLimit {
		err = fmt.Errorf("%s is larger than %d bytes", path, processLimit)
	}
	return data, err
}

// inProcess adds the name of the file that has a wrong or unsupported property.
func (e *execution) inProcess(err error) error {
	if e.o.Process != "" {
		return fmt.Errorf("%s: %w", e.o.Process, err)
	}
	return err
}

// namespaceFiles are the names below /proc/PID/ns, namespaces(7).
var namespaceFiles = [...]struct{ kind, file string }{
	{container.NSUser, "user"}, {container.NSPid, "pid"}, {container.NSMount, "mnt"}, {container.NSNetwork, "net"},
	{container.NSIPC, "ipc"}, {container.NSUTS, "uts"}, {container.NSCgroup, "cgroup"}, {container.NSTime, "time"},
}

// facts returns what /proc says about the container's first process. The process is held by its pidfd and was still
// alive after everything was read, so all the facts are about this process and not about another one that got its
// number.
func (e *execution) facts() (*spawn.Target, oci.Running, error) {
	t := &spawn.Target{PIDFD: e.init.pidfd}
	running := oci.Running{ID: e.o.ID, Annotations: e.state.Annotations, PreserveFDs: e.o.PreserveFDs,
		Host: oci.Host{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}}
	proc := "/proc/" + strconv.Itoa(e.state.PID)
	err := e.readFacts(proc, t, &running)
	switch {
	case !e.init.alive():
		err = fmt.Errorf("container %s: cannot exec in a stopped container", e.o.ID)
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH):
		// While a process exits, it loses its namespaces and its root one by one.
		err = fmt.Errorf("cannot exec in container %s: its first process is ending (%w)", e.o.ID, err)
	}
	if err != nil {
		if t.Root != nil {
			_ = t.Root.Close()
		}
		return nil, running, err
	}
	return t, running, nil
}

// ending reports whether the container's first process has ended or is exiting: it gives up its namespaces before
// it kills and awaits the other processes of its pid namespace.
func (e *execution) ending() bool {
	var st unix.Stat_t
	err := unix.Stat("/proc/"+strconv.Itoa(e.state.PID)+"/ns/mnt", &st)
	return !e.init.alive() || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)
}

func (e *execution) readFacts(proc string, t *spawn.Target, running *oci.Running) error {
	mount := false
	for _, n := range namespaceFiles {
		var theirs, ours unix.Stat_t
		path := proc + "/ns/" + n.file
		err := unix.Stat("/proc/self/ns/"+n.file, &ours)
		if errors.Is(err, unix.ENOENT) {
			continue // a kernel without this kind
		}
		if err == nil {
			err = unix.Stat(path, &theirs)
		}
		if err != nil {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		if theirs.Dev == ours.Dev && theirs.Ino == ours.Ino {
			continue
		}
		t.Kinds = append(t.Kinds, n.kind)
		mount = mount || n.kind == container.NSMount
		if n.kind == container.NSUser {
			if err := readMaps(proc, running); err != nil {
				return err
			}
		}
	}
	setgroups, err := os.ReadFile(proc + "/setgroups")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	running.SetGroups = !bytes.HasPrefix(setgroups, []byte("deny"))
	if mount {
		return nil
	}
	// The process has no mount namespace of its own, so its root is a directory of this one. Only the process
	// itself tells which directory that is.
	t.Root, err = os.OpenFile(proc+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return err
}

func readMaps(proc string, running *oci.Running) (err error) {
	for _, m := range [...]struct {
		file string
		into *[]oci.IDMapping
	}{{"/uid_map", &running.UIDMappings}, {"/gid_map", &running.GIDMappings}} {
		data, err := os.ReadFile(proc + m.file)
		if err != nil {
			return err
		}
		if *m.into, err = parseMap(string(data)); err != nil {
			return fmt.Errorf("%s%s: %w", proc, m.file, err)
		}
	}
	return nil
}

// parseMap parses uid_map or gid_map, user_namespaces(7): three numbers on each line.
func parseMap(text string) ([]oci.IDMapping, error) {
	all := []oci.IDMapping{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		var n [3]uint64
		for i := range n {
			var err error
			if len(f) != len(n) {
				return nil, fmt.Errorf("%q is not three numbers", line)
			}
			if n[i], err = strconv.ParseUint(f[i], 10, 32); err != nil {
				return nil, fmt.Errorf("%q is not three numbers", line)
			}
		}
		all = append(all, oci.IDMapping{ContainerID: uint32(n[0]), HostID: uint32(n[1]), Size: uint32(n[2])})
	}
	return all, nil
}
