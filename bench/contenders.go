package main

import (
	"os"
	"os/exec"
	"strings"
)

// A contender is a program that runs the bundle's payload.
type contender struct {
	name    string
	view    view
	argv    []string // begins with the program's absolute path
	version string   // one line
	task    task
	prepare []string // run once before the first sample; nil: nothing
	cleanup []string // run once after the last one; nil: nothing
	flags   []string // of the meter
	isMeter bool     // the program is its own meter
}

// A view is what a contender finds mounted at /sys/fs/cgroup.
type view string

const (
	hostView  view = "host"
	plainView view = "v2" // only cgroup version 2, in a private mount namespace
)

// inView returns the command that runs argv in the view. It runs once, for the meter, before the first sample, so no
// sample includes it.
func (v view) inView(argv []string) []string {
	if v == hostView {
		return argv
	}
	script := `umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"`
	return append([]string{"unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"}, argv...)
}

// libraryName is the contender that starts the bundle by package spawn.
const libraryName = "spawn.Start"

// contenders returns the contenders that this machine can measure, and notes the missing ones.
func (w *workshop) contenders() ([]contender, error) {
	var all []contender
	add := func(name string, v view, argv ...string) {
		if c, ok := w.find(contender{name: name, view: v, argv: argv, task: taskRun}); ok {
			all = append(all, c)
		}
	}

	floor := append([]string{}, w.floor...)
	add("floor", hostView, append(floor, w.rootfs, "/bin/true")...)
	grouped := append([]string{}, w.floor...)
	for _, g := range w.groups {
		grouped = append(grouped, "-g", g+"/container")
	}
	add("floor+cgroup", hostView, append(grouped, w.rootfs, "/bin/true")...)
	if goFloor := w.path("gofloor"); goFloor != w.floor[0] {
		add("floor (Go)", hostView, goFloor, w.rootfs, "/bin/true")
	}
	all = append(all, contender{name: libraryName, view: hostView, argv: []string{w.path("warm"), w.bundle}, task: taskRun,
		isMeter: true})
	add("bubblewrap", hostView, append([]string{"bwrap"}, bubblewrap(w.rootfs)...)...)
	installed := w.installed()
	for _, t := range tasks {
		for _, c := range installed {
			c, err := w.inTask(c, t)
			if err != nil {
				return nil, err
			}
			if len(c.flags) > 0 && w.plainMeter {
				w.note("%s: left out, the meter in Go cannot do it", heads[t])
				break
			}
			all = append(all, c)
			if t == taskFilter && c.name == "handfast" {
				all = append(all, w.handfastUncached(c))
			}
		}
	}
	return all, nil
}

// installed returns the OCI runtimes that this machine has.
func (w *workshop) installed() (all []contender) {
	for _, c := range w.runtimes() {
		if c, ok := w.find(c); ok {
			all = append(all, c)
		}
	}
	return all
}

// find looks up the contender's program, and notes when it is not installed.
func (w *workshop) find(c contender) (contender, bool) {
	path, err := exec.LookPath(c.argv[0])
	if err != nil {
		w.note("%s: left out, not installed", c.name)
		return c, false
	}
	c.argv[0], c.version = path, version(path)
	return c, true
}

// bubblewrap returns the flags that come closest to the bundle. It mounts no sysfs, so the host's is bound; its --proc
// and --dev include the read-only paths, the device nodes, the links, devpts and shm.
func bubblewrap(rootfs string) []string {
	flags := []string{
		"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--hostname", "handfast-bench",
		"--bind", rootfs, "/", "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue", "--ro-bind", "/sys", "/sys",
		"--cap-drop", "ALL", "--clearenv", "--setenv", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin", "--chdir", "/",
	}
	// It fails if a path does not exist on this kernel, while the others skip it.
	for _, path := range []string{"/proc/kcore", "/proc/keys"} {
		if _, err := os.Stat(path); err == nil {
			flags = append(flags, "--ro-bind", "/dev/null", path)
		}
	}
	if _, err := os.Stat("/sys/firmware"); err == nil {
		flags = append(flags, "--tmpfs", "/sys/firmware")
	}
	return append(flags, "/bin/true")
}

// version returns the first line of the program's --version, which it may not support.
func version(path string) string {
	out, err := exec.Command(path, "--version").Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
