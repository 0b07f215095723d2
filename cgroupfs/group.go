package cgroupfs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Group is one control group: a directory in every hierarchy of the host, held by descriptor. It owns its descriptors until Close. It is not safe for use by two goroutines at once.
type Group struct {
	layout  *Layout
	path    string
	members []member
	skipped []Skipped
}

// member is the group in one hierarchy.
type member struct {
	h     *Hierarchy
	mount dir
	dir   dir
	made  []string // paths that Create made, relative to the mount, parents first
	depth int      // how many of the path's last components were made for the group here
}

// Skipped is a hierarchy that the group is not in, because the caller may not make one there.
type Skipped struct {
	Hierarchy Hierarchy
	Err       error
}

// Create makes the group at an absolute path below the root of every hierarchy. One that is there already is taken if it is empty and not frozen; otherwise that is the error. A hierarchy
// that the caller may not write to is skipped and listed. After any other error everything that was made is removed again. The caller closes the Group.
func Create(l *Layout, p string) (*Group, error) {
	rel, err := checkPath(p)
	if err != nil {
		return nil, err
	}
	if len(l.Hierarchies) == 0 {
		return nil, errors.New("no cgroup file system is mounted on this host")
	}
	g := &Group{layout: l, path: p}
	for i := range l.Hierarchies {
		m, err := create(&l.Hierarchies[i], rel, l.Mode() == V2)
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
			g.skipped = append(g.skipped, Skipped{l.Hierarchies[i], err})
			continue
		}
		if err != nil {
			g.remove()
			return nil, err
		}
		m.depth = len(m.made)
		g.members = append(g.members, m)
	}
	return g, nil
}

// remove takes back what Create made.
func (g *Group) remove() {
	for _, m := range g.members {
		m.undo()
	}
	g.Close()
}

func (m *member) undo() {
	for _, p := range slices.Backward(m.made) {
		_ = m.mount.rmdir(p)
	}
}

// create makes the group in one hierarchy.
func create(h *Hierarchy, rel string, enable bool) (m member, err error) {
	m.h = h
	if m.mount, err = openMount(h); err != nil {
		return m, err
	}
	defer func() {
		if err != nil {
			m.undo()
			m.mount.close()
		}
	}()
	// Another group's removal may take a parent away between two steps: then they are taken again.
	for range 10 {
		if err = m.mkdirs(rel, enable); !errors.Is(err, unix.ENOENT) {
			break
		}
	}
	if err != nil {
		return m, err
	}
	if m.dir, err = m.mount.sub(rel); err != nil {
		return m, err
	}
	if len(m.made) == 0 {
		if err = m.free(); err != nil {
			m.dir.close()
		}
	}
	return m, err
}

func (m *member) mkdirs(rel string, enable bool) error {
	if !enable {
		// Most often all parents are there.
		err := m.mkdir(rel)
		if err == nil || errors.Is(err, unix.EEXIST) {
			return m.initCpuset(rel)
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	parent := ""
	for _, p := range prefixes(rel) {
		if enable {
			if err := m.enable(parent); err != nil {
				return err
			}
		}
		if err := m.mkdir(p); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		parent = p
	}
	return m.initCpuset(rel)
}

func (m *member) mkdir(p string) error {
	err := m.mount.mkdir(p)
	if err == nil {
		m.made = append(m.made, p)
	}
	return err
}

// initCpuset gives a group of v1's cpuset the processors and memory nodes of its parent where it has none: it could hold no process (cgroup-v1/cpusets.rst). So it goes for the parent first, which somebody else may
// have made, a moment ago, without values.
func (m *member) initCpuset(p string) error {
	if !slices.Contains(m.h.Controllers, "cpuset") {
		return nil
	}
	for _, file := range [...]string{"cpuset.cpus", "cpuset.mems"} {
		if _, err := m.inherit(p, file); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) inherit(p, file string) (string, error) {
	value, err := m.mount.read(join(p, file))
	if value = strings.TrimSpace(value); err != nil || value != "" || p == "" {
		return value, err
	}
	parent := p[:max(strings.LastIndexByte(p, '/'), 0)]
	if value, err = m.inherit(parent, file); err != nil || value == "" {
		return value, err
	}
	return value, m.mount.write(join(p, file), value)
}

// enable lets the groups below parent have every controller that parent has (cgroup-v2.rst, "Enabling and Disabling"). A controller that cannot be enabled is one that a limit will not find;
// that limit's error says so.
func (m *member) enable(parent string) error {
	have, err := m.mount.read(join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	on, err := m.mount.read(join(parent, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	enabled := strings.Fields(on)
	var missing []string
	for _, c := range strings.Fields(have) {
		if !slices.Contains(enabled, c) {
			missing = append(missing, "+"+c)
		}
	}
	if len(missing) == 0 || m.mount.write(join(parent, "cgroup.subtree_control"), strings.Join(missing, " ")) == nil {
		return nil
	}
	for _, c := range missing {
		_ = m.mount.write(join(parent, "cgroup.subtree_control"), c)
	}
	return nil
}

// free refuses a group that somebody uses: one with a process in it or anywhere below, and one that is frozen or about to be.
func (m *member) free() error {
	pids, err := procs(m.dir, nil, 0)
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("cgroup %s exists and holds processes: %w", m.dir.name, unix.EBUSY)
	}
	if thawed, err := m.thawed(); err != nil || !thawed {
		return errors.Join(err, fmt.Errorf("cgroup %s exists and is frozen: %w", m.dir.name, unix.EBUSY))
	}
	return nil
}

func join(rel, file string) string {
	if rel == "" {
		return file
	}
	return rel + "/" + file
}

// Saved is what a later process needs to open a group again; it may be stored as JSON.
type Saved struct {
	Path string `json:"path"`
	Made int    `json:"made,omitempty"` // how many of the path's last components were made for the group
}

// Saved is the group for a later Load. What was made counts as far as it was made in every hierarchy: a parent that was there in one of them may hold somebody's limits.
func (g *Group) Saved() Saved {
	s := Saved{Path: g.path}
	for i, m := range g.members {
		if i == 0 || m.depth < s.Made {
			s.Made = m.depth
		}
	}
	return s
}

// Load opens a group again that was made earlier. Hierarchies in which it is gone are left out. The caller closes the Group.
func Load(l *Layout, s Saved) (*Group, error) {
	rel, err := checkPath(s.Path)
	if err != nil {
		return nil, err
	}
	g := &Group{layout: l, path: s.Path}
	for i := range l.Hierarchies {
		m := member{h: &l.Hierarchies[i], depth: s.Made}
		if m.mount, err = openMount(m.h); err != nil {
			g.Close()
			return nil, err
		}
		if m.dir, err = m.mount.sub(rel); err != nil {
			m.mount.close()
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			g.Close()
			return nil, err
		}
		g.members = append(g.members, m)
	}
	return g, nil
}

// Close gives up the descriptors; the group itself stays.
func (g *Group) Close() {
	for _, m := range g.members {
		if m.dir.name != "" {
			m.dir.close()
		}
		m.mount.close()
	}
	g.members = nil
}

// Path is the group's path below the root of every hierarchy.
func (g *Group) Path() string { return g.path }

// Skipped are the hierarchies that the group is not in.
func (g *Group) Skipped() []Skipped { return g.skipped }

// Dirs are the group's directories on the host, by the hierarchy's name.
func (g *Group) Dirs() map[string]string {
	all := map[string]string{}
	for _, m := range g.members {
		all[m.h.Name] = m.dir.name
	}
	return all
}

// Apply carries a plan out. The error names the file, the value and the errno; where a controller is missing it says that.
func (g *Group) Apply(writes []Write) error {
	for i := 0; i < len(writes); i++ {
		err := g.write(writes[i])
		if errors.Is(err, unix.EINVAL) && i+1 < len(writes) && bound(writes[i].File, writes[i+1].File) && g.write(writes[i+1]) == nil {
			if err = g.write(writes[i]); err == nil {
				i++
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bound reports whether two files limit each other, so that their order depends on what is there already: a limit of memory may not pass that of memory and swap, and a quota with its period not the parent's share.
func bound(first, second string) bool {
	return first == "memory.limit_in_bytes" && second == "memory.memsw.limit_in_bytes" || first == "cpu.cfs_period_us" && second == "cpu.cfs_quota_us"
}

func (g *Group) write(w Write) error {
	h := g.layout.find(w.Controller)
	if h == nil {
		return fmt.Errorf("%s: no hierarchy of this host has the controller %s", w, w.Controller)
	}
	m := g.member(h)
	if m == nil {
		return fmt.Errorf("%s: %w", w, g.why(h))
	}
	err := m.dir.write(w.File, w.Value)
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s: the controller %s is not enabled here, or this kernel does not have the file: %w", w, w.Controller, err)
	}
	return err
}

func (g *Group) member(h *Hierarchy) *member {
	for i := range g.members {
		if g.members[i].h == h {
			return &g.members[i]
		}
	}
	return nil
}

func (g *Group) why(h *Hierarchy) error {
	for _, s := range g.skipped {
		if s.Hierarchy.Name == h.Name && s.Hierarchy.V2 == h.V2 {
			return fmt.Errorf("the group could not be made: %w", s.Err)
		}
	}
	return fmt.Errorf("the group is gone from %s: %w", h.Mountpoint, unix.ENOENT)
}

// Add moves a process, with all its threads, into the group in every hierarchy. After an error it may be in some of them, and Kill finds it.
func (g *Group) Add(pid int) error {
	if len(g.members) == 0 {
		return nil
	}
	text := strconv.Itoa(pid)
	first := g.tracker() // the one that Procs and Kill look at
	if err := first.join(pid, text); err != nil {
		return err
	}
	for i := range g.members {
		if m := &g.members[i]; m != first {
			if err := m.join(pid, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *member) join(pid int, text string) error {
	err := m.dir.write("cgroup.procs", text)
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d has ended: %w", pid, err)
	}
	return err
}

// FD is a descriptor of the group's directory in the v2 hierarchy, for CLONE_INTO_CGROUP (clone(2)), so that a child begins its life in the group; -1 where there is no v2. The Group keeps
// the descriptor.
func (g *Group) FD() int {
	for _, m := range g.members {
		if m.h.V2 {
			return m.dir.fd
		}
	}
	return -1
}

// Inherited reports whether the group is in hierarchies of v1 too, which a child can only inherit from the thread that makes it (Enter).
func (g *Group) Inherited() bool {
	for _, m := range g.members {
		if !m.h.V2 {
			return true
		}
	}
	return false
}

// Enter moves the calling thread into the group in the hierarchies of v1, so that a child which it makes next begins there. The caller has locked the thread and ends it afterwards, for it stays in the
// group; Delete waits for that. To move one thread is much cheaper than to move a process: the kernel need not keep every process from forking meanwhile, which takes an RCU grace period
// (kernel/cgroup/cgroup.c, cgroup_attach_lock).
func (g *Group) Enter() error {
	for _, m := range g.members {
		if m.h.V2 {
			continue
		}
		if err := m.dir.write("tasks", "0"); err != nil {
			return err
		}
	}
	return nil
}

// Procs are the processes in the group and in those below it, as this process sees them.
func (g *Group) Procs() ([]int, error) {
	if len(g.members) == 0 {
		return nil, nil
	}
	m := g.tracker()
	return procs(m.dir, nil, 0)
}

// tracker is the member that tells best which processes there are: v2's if there is one, for it can also kill them all.
func (g *Group) tracker() *member {
	for i := range g.members {
		if g.members[i].h.V2 {
			return &g.members[i]
		}
	}
	for i := range g.members {
		if slices.Contains(g.members[i].h.Controllers, "freezer") {
			return &g.members[i]
		}
	}
	return &g.members[0]
}

// maxDepth bounds the groups below a group: the kernel's own bound may be raised by a container that has its own tree.
const maxDepth = 512

func procs(d dir, pids []int, depth int) ([]int, error) {
	text, err := d.read("cgroup.procs")
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return pids, gone(err)
	}
	for line := range strings.Lines(text) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	names, err := d.groups()
	if err != nil || depth == maxDepth {
		return pids, gone(err)
	}
	for _, n := range names {
		sub, err := d.sub(n)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return pids, err
		}
		pids, err = procs(sub, pids, depth+1)
		sub.close()
		if err != nil {
			return pids, err
		}
	}
	return pids, nil
}

// gone forgives that a group went away meanwhile.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
