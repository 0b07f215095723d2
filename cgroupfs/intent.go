package cgroupfs

import (
	"errors"
	"maps"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Intent is what Create will make of a path, as JSON if need be. Who stores it before Create can have everything
// removed that a Create left which was killed midway, and nothing that was there before.
type Intent struct {
	Path string `json:"path"`
	// Missing is by the hierarchy's name how many of the path's last components are not there yet; none: left out.
	Missing map[string]int `json:"missing"`
}

// Intend finds out what Create would make now at an absolute path. Nothing is made.
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
				break // there, or nothing that Create could make
			}
			n++
		}
		if n > 0 {
			in.Missing[h.Name] = n
		}
	}
	return in, nil
}

// Undo removes what a Create with this intent has made, from the group upwards. Create puts no process into a group, so
// nothing is killed: what holds a process or somebody's group by now has become theirs, and stays. After an error the
// other hierarchies were seen to all the same.
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

// undoIn removes the last n components of the path in one hierarchy, and the parent that is this package's own.
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
			if p == own {
				_ = mount.rmdir(p) // as Group.Delete does it
			}
			return nil
		}
		switch err := mount.rmdir(p); {
		case err == nil, errors.Is(err, unix.ENOENT): // not made yet
		case theirs(err):
			return nil
		default:
			return err
		}
	}
	return nil
}
