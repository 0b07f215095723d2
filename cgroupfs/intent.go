package cgroupfs

import (
	"errors"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Intent records what Create is going to make for a path; it can be stored as JSON. A caller that stores it first can
// later remove what a killed Create left behind, and nothing that existed before.
type Intent struct {
	Path string `json:"path"`
	// Missing says, by the hierarchy's name, how many of the path's last components do not exist yet; hierarchies that
	// lack none are left out.
	Missing map[string]int `json:"missing"`
}

// Intend finds out what Create would make at an absolute path now. It makes nothing.
func (l *Layout) Intend(p string) (*Intent, error) {
	rel, err := checkPath(p)
	if err != nil {
		return nil, err
	}
	in := &Intent{Path: p, Missing: map[string]int{}}
	all := prefixes(rel)
	for _, h := range l.Hierarchies {
		n := 0
		for _, below := range slices.Backward(all) {
			var st unix.Stat_t
			if unix.Lstat(path.Join(h.Mountpoint, below), &st) != unix.ENOENT {
				break // it exists, or Create could not make it
			}
			n++
		}
		if n > 0 {
			in.Missing[h.Name] = n
		}
	}
	return in, nil
}

// Undo removes what a Create with this intent has made, from the group upwards. It kills nothing, because Create puts
// no process into a group: a group that holds a process or another group by now belongs to someone else, and stays. An
// error in one hierarchy does not keep it from the others.
func (in *Intent) Undo(l *Layout) error {
	rel, err := checkPath(in.Path)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(in.Missing)) {
		for i := range l.Hierarchies {
			if h := &l.Hierarchies[i]; h.Name == name {
				errs = append(errs, undoIn(h, rel, in.Missing[name]))
			}
		}
	}
	return errors.Join(errs...)
}

// undoIn removes the last n components of the path in one hierarchy, and the parent group that belongs to this package.
func undoIn(h *Hierarchy, rel string, n int) error {
	mount, err := openMount(h)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer mount.close()
	all := prefixes(rel)
	for i, p := range slices.Backward(all) {
		if len(all)-i > n {
			if p == ownParent {
				_ = mount.rmdir(p) // as Group.Delete does
			}
			return nil
		}
		switch err := mount.rmdir(p); {
		case err == nil, errors.Is(err, unix.ENOENT): // not made yet
		case inUse(err):
			return nil
		default:
			return err
		}
	}
	return nil
}
