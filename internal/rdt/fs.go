package rdt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNone means that no resctrl is mounted on the host, or that its processor lacks the feature.
var ErrNone = errors.New("no resctrl file system is mounted on this host")

// FS is a mounted resctrl.
type FS struct {
	root      string
	mkdir     func(string) error // the kernel fills new directories
	rmdir     func(string) error // the kernel empties removed ones
	writeFile func(path, text string) error
}

// Saved describes what Make has created, so that a later process can add processes to it and remove it; it can be
// stored as JSON.
type Saved struct {
	Class   string `json:"class"`             // empty: the root class
	Made    bool   `json:"made,omitempty"`    // Make made the class
	Monitor string `json:"monitor,omitempty"` // monitoring group that Make made
}

// Host finds resctrl on this host. The error is ErrNone if there is none.
func Host() (*FS, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	root, ok := findMount(string(mounts))
	if !ok {
		return nil, ErrNone
	}
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: root, Err: err}
	}
	if int64(st.Type) != unix.RDTGROUP_SUPER_MAGIC {
		return nil, fmt.Errorf("%s is not a resctrl file system (magic %#x): %w", root, st.Type, unix.EINVAL)
	}
	mkdir := func(p string) error { return os.Mkdir(p, 0o755) }
	return &FS{root: root, mkdir: mkdir, rmdir: rmdir, writeFile: writeFile}, nil
}

// rmdir is not os.Remove, which would try to unlink first.
func rmdir(p string) error {
	if err := unix.Rmdir(p); err != nil {
		return &os.PathError{Op: "rmdir", Path: p, Err: err}
	}
	return nil
}

// findMount returns the first mount point of resctrl in a mountinfo (proc_pid_mountinfo(5)).
func findMount(mountinfo string) (string, bool) {
	for line := range strings.Lines(mountinfo) {
		left, right, _ := strings.Cut(line, " - ")
		if f := strings.Fields(left); len(f) > 4 && strings.HasPrefix(right, "resctrl ") && filepath.IsAbs(f[4]) {
			return f[4], true
		}
	}
	return "", false
}

// Intend returns what Make would return for the group now. A caller that stores it first can later remove what a killed
// Make left behind.
func (f *FS) Intend(g Group) (Saved, error) {
	s := Saved{Class: g.Class, Monitor: g.Monitor}
	if g.Class == "" || g.Given && len(g.Schema) == 0 {
		return s, nil
	}
	_, err := os.Lstat(filepath.Join(f.root, g.Class))
	if errors.Is(err, fs.ErrNotExist) {
		s.Made = true
		return s, nil
	}
	return s, err
}

// Make creates the group, or checks that an existing class has the requested schemata. After an error nothing that it
// made is left.
func (f *FS) Make(g Group) (s Saved, err error) {
	s.Class = g.Class
	class := filepath.Join(f.root, g.Class)
	if g.Class != "" && (!g.Given || len(g.Schema) > 0) {
		err = f.mkdir(class)
		s.Made = err == nil
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return s, explainENOSPC(err)
		}
	}
	defer func() {
		if err == nil {
			return
		}
		if e := f.Remove(s); e != nil {
			err = fmt.Errorf("%w; and %w", err, e)
		}
	}()
	switch {
	case s.Made:
		err = f.write(g.Class, g.Schema)
	default:
		text, e := os.ReadFile(filepath.Join(class, "schemata"))
		if err = e; err == nil {
			err = Match(string(text), g.Schema)
		}
	}
	if err != nil || g.Monitor == "" {
		return s, err
	}
	if err = f.mkdir(filepath.Join(class, "mon_groups", g.Monitor)); err != nil {
		return s, explainENOSPC(err)
	}
	s.Monitor = g.Monitor
	return s, nil
}

// explainENOSPC adds what ENOSPC means here to an error.
func explainENOSPC(err error) error {
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("the processor has no further class or monitor: %w", err)
	}
	return err
}

// Lines returns the current lines of the class's schemata.
func (f *FS) Lines(s Saved) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(f.root, s.Class, "schemata"))
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines, err
}

// Change writes lines to the schemata of a class that Make made. It refuses a class that others may share.
func (f *FS) Change(s Saved, lines []string) error {
	if !s.Made {
		return fmt.Errorf("the class %q was not made for this container and is not changed for it", "/"+s.Class)
	}
	return f.write(s.Class, lines)
}

// write writes all lines in one write(2): the kernel takes all of them or none (fs/resctrl/ctrlmondata.c,
// rdtgroup_schemata_write).
func (f *FS) write(class string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	err := f.writeFile(filepath.Join(f.root, class, "schemata"), strings.Join(lines, "\n")+"\n")
	if err != nil {
		if why, e := os.ReadFile(filepath.Join(f.root, "info", "last_cmd_status")); e == nil {
			return fmt.Errorf("%w: %s", err, strings.Join(strings.Fields(string(why)), " "))
		}
	}
	return err
}

// writeFile writes to an existing file, in one write.
func writeFile(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}

// Add puts a process into the group, thread by thread: each thread has its own class, which the threads that it creates
// inherit. So it repeats until all threads are in the group.
func (f *FS) Add(s Saved, pid int) error {
	dir := filepath.Join(f.root, s.Class)
	if s.Monitor != "" {
		dir = filepath.Join(dir, "mon_groups", s.Monitor)
	}
	done := map[string]bool{}
	for again := true; again; {
		again = false
		threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		if err != nil {
			return err
		}
		for _, t := range threads {
			if done[t.Name()] {
				continue
			}
			done[t.Name()], again = true, true
			if err := f.writeFile(filepath.Join(dir, "tasks"), t.Name()); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// Remove removes what Make made, and nothing else. It is not an error if that is gone already.
func (f *FS) Remove(s Saved) error {
	path := filepath.Join(f.root, s.Class)
	switch {
	case s.Made && s.Class != "": // its monitoring groups go with it
	case s.Monitor != "":
		path = filepath.Join(path, "mon_groups", s.Monitor)
	default:
		return nil
	}
	if err := f.rmdir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
