package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A workshop is the temporary directory of one run: the bundle, the programs built for it, and the control groups.
type workshop struct {
	dir        string
	rootfs     string
	bundle     string
	states     string // the directory of the runtimes' states
	handfast   string // empty if there is none
	meter      []string
	plainMeter bool // the meter has no flags
	floor      []string
	groups     []string // this run's own group in each mounted hierarchy
	notes      []string // what a reader of the numbers must know
}

// newWorkshop creates a workshop. It builds handfast with the tags, unless its path is given.
func newWorkshop(handfast, tags string) (*workshop, error) {
	dir, err := os.MkdirTemp("", "handfast-bench-")
	if err != nil {
		return nil, err
	}
	w := &workshop{dir: dir, rootfs: filepath.Join(dir, "rootfs"), bundle: filepath.Join(dir, "bundle")}
	if err := errors.Join(w.build(handfast, tags), w.makeBundle(), w.makeStates(), w.makeGroups()); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workshop) note(format string, args ...any) {
	w.notes = append(w.notes, fmt.Sprintf(format, args...))
}

// build builds the payload, the meter, the floor and handfast. Without a C compiler it uses Go programs instead and
// notes it, because a floor in Go is a higher floor.
func (w *workshop) build(handfast, tags string) error {
	payload := w.path("true")
	if err := errors.Join(goBuild(w.path("gofloor"), "./bench/gofloor", ""), goBuild(w.path("warm"), "./bench/warm",
		"")); err != nil {
		return err
	}
	if gcc, err := exec.LookPath("gcc"); err == nil {
		for source, program := range map[string]string{
			"bench/payload/true.c": payload, "bench/payload/sleep.c": w.path("sleep"), "bench/meter/meter.c": w.path("meter"),
			"bench/floor/floor.c": w.path("floor"),
		} {
			if out, err := exec.Command(gcc, "-O2", "-static", "-o", program, source).CombinedOutput(); err != nil {
				return fmt.Errorf("compiling %s (run this from the module's root; gcc needs libc6-dev): %w\n%s", source, err, out)
			}
		}
		w.meter, w.floor = []string{w.path("meter")}, []string{w.path("floor")}
		w.note("floor: C, gcc -O2 -static; payload: a static C program that returns 0")
	} else {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		busybox, err := exec.LookPath("busybox")
		if err != nil {
			return errors.New("neither gcc nor busybox: apt-get install busybox-static, or gcc and libc6-dev")
		}
		if err := errors.Join(copyFile(busybox, payload), copyFile(busybox, w.path("sleep"))); err != nil {
			return err
		}
		w.meter, w.plainMeter, w.floor = []string{self, meterCommand}, true, []string{w.path("gofloor")}
		w.note("no gcc: the floor and the meter are Go programs, the payload is busybox; a peak below the meter's own is " +
			"hidden")
	}
	switch handfast {
	case "none":
		w.note("handfast: left out, as asked")
		return nil
	case "":
		handfast = w.path("handfast")
		revision, _ := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
		if err := goBuild(handfast, "./cmd/handfast", tags, "-X", "main.version="+
			strings.TrimSpace(string(revision))); err != nil {
			return err
		}
	}
	path, err := filepath.Abs(handfast)
	w.handfast = path
	return err
}

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

// makeBundle creates the bundle that all contenders run.
func (w *workshop) makeBundle() error {
	for _, d := range []string{"rootfs/bin", "rootfs/proc", "rootfs/dev", "rootfs/sys", "bundle"} {
		if err := os.MkdirAll(w.path(d), 0o755); err != nil {
			return err
		}
	}
	// Root of a user namespace has no rights in this directory, which only root can enter so far.
	if err := os.Chmod(w.dir, 0o711); err != nil {
		return err
	}
	for _, program := range []string{"true", "sleep"} {
		if err := copyFile(w.path(program), filepath.Join(w.rootfs, "bin", program)); err != nil {
			return err
		}
	}
	return w.writeBundle(w.bundle, nil)
}

// makeStates finds a place in memory for the runtimes' states, like /run on most hosts. On a disk, contenders that make
// their states durable would wait for a device that real hosts do not use for it.
func (w *workshop) makeStates() (err error) {
	for _, parent := range []string{"/run", "/dev/shm"} {
		var fs unix.Statfs_t
		if unix.Statfs(parent, &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
			if w.states, err = os.MkdirTemp(parent, "handfast-bench-"); err != nil {
				return err
			}
			return os.Chmod(w.states, 0o711) // a plain user has a directory in it
		}
	}
	w.note("no tmpfs found: the runtimes' states are on a disk")
	w.states = w.path("states")
	return os.Mkdir(w.states, 0o711)
}

// groupName returns the absolute control group path of this run.
func groupName() string { return fmt.Sprintf("/handfast-bench-%d", os.Getpid()) }

// makeGroups creates this run's group in every hierarchy once, so that no contender has to create it or leaves it
// behind.
func (w *workshop) makeGroups() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, root := range hierarchies(string(data)) {
		group := root + groupName()
		if err := os.Mkdir(group, 0o755); err != nil {
			w.note("no control group in %s: %v", root, err)
			continue
		}
		w.groups = append(w.groups, group)
		// A cpuset of version 1 accepts no process until it has cpus and memory nodes; this makes it inherit them.
		clone := filepath.Join(group, "cgroup.clone_children")
		if _, err := os.Stat(filepath.Join(group, "cpuset.cpus")); err == nil {
			if err := errors.Join(inherit(root, group, "cpuset.cpus"), inherit(root, group, "cpuset.mems"),
				os.WriteFile(clone, []byte("1"), 0o644)); err != nil {
				return err
			}
		}
	}
	return nil
}

func inherit(root, group, file string) error {
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil // Version 2 only has the effective file at its root, and inherits by itself.
	}
	return os.WriteFile(filepath.Join(group, file), data, 0o644)
}

// hierarchies returns the mount point of each control group hierarchy in the text of a mountinfo file.
func hierarchies(mountinfo string) []string {
	var roots []string
	for line := range strings.Lines(mountinfo) {
		left, right, found := strings.Cut(line, " - ")
		fields := strings.Fields(left)
		if found && len(fields) > 4 && (strings.HasPrefix(right, "cgroup ") || strings.HasPrefix(right, "cgroup2 ")) {
			roots = append(roots, fields[4])
		}
	}
	return roots
}

// close removes everything that the run has created.
func (w *workshop) close() error {
	var errs []error
	for _, g := range w.groups {
		// Groups that a contender left inside must go first. A leftover process makes the removal fail, which is
		// reported.
		inner, _ := filepath.Glob(g + "/*/cgroup.procs")
		for _, procs := range inner {
			errs = append(errs, os.Remove(filepath.Dir(procs)))
		}
		errs = append(errs, os.Remove(g))
	}
	if w.states != "" {
		errs = append(errs, os.RemoveAll(w.states))
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}

// goBuild builds the package like the Makefile, and installs the program; ldflags are added to the linker's.
//
// The other contenders were installed by a package manager too, and that makes a difference: Go's linker writes through
// a memory map, which leaves each page in the page cache by itself, and a start then maps and unmaps them one by one.
func goBuild(program, pkg, tags string, ldflags ...string) error {
	flags := strings.Join(append([]string{"-s", "-w"}, ldflags...), " ")
	linked := program + ".linked"
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-tags", tags, "-ldflags", flags, "-o", linked,
		pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return errors.Join(copyFile(linked, program), os.Remove(linked))
}

// copyFile copies a program as install(1) does.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, source)
	return errors.Join(err, file.Close())
}
