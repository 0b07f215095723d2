package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors that callers distinguish. Their wording is what clients look for.
var (
	ErrExists   = errors.New("container with given ID already exists")
	ErrNotExist = errors.New("container does not exist")
	ErrBusy     = errors.New("container is being changed by another call")
	ErrDamaged  = errors.New("the state is damaged") // the file's content is invalid; the wrapping error says how
)

const (
	stateFile = "state.json"
	nextFile  = "state.json.next" // the state that is being written, and afterwards the previous state: see Dir.Spare
	// stateLimit limits how much of a state is read, because its annotations come from a client.
	stateLimit = 32 << 20
)

// Store is the set of containers below one root directory. The zero value is not usable. The directory is created
// together with the first container.
type Store struct{ root string }

// New returns the store in the directory root. It does not access the directory.
func New(root string) Store { return Store{root: root} }

func (st Store) path(id string) string { return filepath.Join(st.root, id) }

// Create makes the directory of a new container, locks it and writes s, whose ID is the container's id. After an
// error it removes everything that it made. If several callers use the same id, exactly one succeeds, and the
// others get ErrExists. The caller owns the Dir.
func (st Store) Create(s *State) (*Dir, error) {
	if err := ValidateID(s.ID); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(st.root, 0o700); err != nil {
		return nil, fmt.Errorf("state of container %s: %w", s.ID, err)
	}
	for {
		d, err := st.make(s.ID)
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", s.ID, err)
		}
		if d == nil {
			continue
		}
		// No sync is needed: an empty file, which a crash may leave, is loaded like a missing file.
		if err := d.save(s, false); err != nil {
			_ = d.Remove()
			return nil, err
		}
		return d, nil
	}
}

// make makes and locks a directory. If both results are nil, another call took the new directory for the remains
// of a killed create, and removed it before it was locked.
func (st Store) make(id string) (*Dir, error) {
	err := unix.Mkdir(st.path(id), 0o700)
	if err == unix.EEXIST {
		return nil, ErrExists
	}
	if err != nil {
		return nil, &os.PathError{Op: "mkdir", Path: st.path(id), Err: err}
	}
	d, err := st.open(id)
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := d.lock(unix.LOCK_EX); err != nil {
		_ = d.Close()
		return nil, err
	}
	if !d.current() {
		return nil, d.Close()
	}
	return d, nil
}

func (st Store) open(id string) (*Dir, error) {
	if err := ValidateID(id); err != nil {
		return nil, err
	}
	fd, err := unix.Open(st.path(id), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	switch err {
	case nil:
		return &Dir{id: id, path: st.path(id), fd: fd}, nil
	case unix.ENOENT, unix.ENAMETOOLONG:
		return nil, ErrNotExist
	}
	return nil, &os.PathError{Op: "open", Path: st.path(id), Err: err}
}

// Load reads the state of a container without taking its lock. A directory without a state is left by a create
// that was killed at its very beginning; it loads as Creating. The error is ErrNotExist if there is no such
// container, and ErrDamaged if the stored data is not a state.
func (st Store) Load(id string) (*State, error) {
	d, err := st.open(id)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", id, err)
	}
	defer d.Close()
	return d.Load()
}

// Entry is one container in a list. Err is the error if its state could not be read; ID is always set.
type Entry struct {
	ID    string
	State *State
	Err   error
}

// List returns all containers, sorted by name. A container that cannot be read does not hide the others. One that
// is deleted meanwhile is left out.
func (st Store) List() ([]Entry, error) {
	names, err := os.ReadDir(st.root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // no container was ever made
	}
	if err != nil {
		return nil, fmt.Errorf("list of containers: %w", err)
	}
	var out []Entry
	for _, n := range names {
		if ValidateID(n.Name()) != nil || !n.IsDir() {
			continue
		}
		s, err := st.Load(n.Name())
		if errors.Is(err, ErrNotExist) {
			continue
		}
		out = append(out, Entry{ID: n.Name(), State: s, Err: err})
	}
	return out, nil
}

func decode(id string, b []byte) (*State, error) {
	s, err := unmarshal(b)
	if err != nil {
		return nil, damaged("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if s.ID != id {
		return nil, damaged("it is that of container %q", s.ID)
	}
	if p := s.CgroupPath; p != "" && (!filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/") {
		return nil, damaged("cgroupPath is %q", p)
	}
	return s, nil
}

// damagedError reports a file that does not contain a state.
type damagedError struct{ how string }

func damaged(format string, args ...any) error { return &damagedError{fmt.Sprintf(format, args...)} }

func (e *damagedError) Error() string   { return stateFile + " is damaged: " + e.how }
func (e *damagedError) Is(t error) bool { return t == ErrDamaged }
