package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/smallfile"
)

// Dir is the directory of one container, held through a file descriptor. Create and Lock return it locked; Close
// releases the lock. Only one goroutine may use it at a time.
type Dir struct {
	id   string
	path string
	fd   int // owned; close-on-exec, so that no child keeps the lock

	medium medium // where the files are stored; set by the first Save
}

// medium is the type of storage below a file system.
type medium int

const (
	unknown medium = iota
	disk           // or anything else that survives a crash of the machine
	memory         // everything is lost in a crash
)

// inMemory reports whether files here are lost in a crash even if they are synced. If it cannot tell, it returns
// false, so that Save syncs.
func (d *Dir) inMemory() bool {
	if d.medium == unknown {
		d.medium = disk
		var fs unix.Statfs_t
		if unix.Fstatfs(d.fd, &fs) == nil && (uint32(fs.Type) == unix.TMPFS_MAGIC || uint32(fs.Type) == unix.RAMFS_MAGIC) {
			d.medium = memory
		}
	}
	return d.medium == memory
}

// Path returns the absolute path of a file next to the state, such as the gate's socket. Remove removes these
// files too.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Lock opens a container for changes. It waits for the lock until ctx is done, and then returns ErrBusy. It
// returns ErrNotExist if there is no such container. The caller owns the Dir.
func (st Store) Lock(ctx context.Context, id string) (*Dir, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		d, err := st.open(id)
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", id, err)
		}
		err = d.lock(unix.LOCK_EX | unix.LOCK_NB)
		if err == nil && d.current() {
			return d, nil
		}
		_ = d.Close()
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("container %s: %w", id, err)
		}
		// flock(2) has no timeout, so Lock polls.
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("container %s: %w", id, ErrBusy)
		case <-time.After(pause):
		}
	}
}

func (d *Dir) lock(how int) error {
	for {
		switch err := unix.Flock(d.fd, how); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &os.PathError{Op: "flock", Path: d.path, Err: err}
		}
	}
}

// current reports whether the path still leads to the open directory. The directory may have been removed, and
// another one may have taken its place.
func (d *Dir) current() bool {
	var held, named unix.Stat_t
	return unix.Fstat(d.fd, &held) == nil && unix.Lstat(d.path, &named) == nil && held.Ino == named.Ino &&
		held.Dev == named.Dev
}

// Load reads the state; see Store.Load.
func (d *Dir) Load() (*State, error) {
	s, err := d.load(stateFile)
	if errors.Is(err, os.ErrNotExist) {
		// The creating process was killed before the first state was in place, or the state was removed. The spare
		// state then describes what exists.
		if spare := d.Spare(); spare != nil {
			return spare, nil
		}
		return &State{ID: d.id, Creating: true}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", d.id, err)
	}
	return s, nil
}

// Spare returns the state from before the last Save, for a container whose state is damaged. It returns nil if
// there is no readable one.
func (d *Dir) Spare() *State {
	s, err := d.load(nextFile)
	if err != nil {
		return nil
	}
	return s
}

func (d *Dir) load(name string) (*State, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == unix.ELOOP {
		return nil, damaged("it is a symbolic link")
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path(name), Err: err}
	}
	defer unix.Close(fd)
	data, err := smallfile.ReadFD(fd, d.Path(name), stateLimit)
	if errors.Is(err, unix.EISDIR) {
		return nil, damaged("it is a directory")
	}
	if err != nil {
		return nil, err
	}
	return decode(d.id, data)
}

// Save replaces the state. After a crash at any moment, either the complete old state or the complete new state is
// there. For that, Save writes the new state to a second file, syncs it unless the file system is in memory, and
// exchanges the two. The directory is not synced. No container survives a crash, so it does not matter which of
// the two is found, and on a disk the sync would cost as much as everything else.
func (d *Dir) Save(s *State) error { return d.save(s, !d.inMemory()) }

func (d *Dir) save(s *State, sync bool) error {
	b, err := encode(s)
	if err == nil {
		err = d.replace(b, sync)
	}
	if err != nil {
		return fmt.Errorf("state of container %s: %w", d.id, err)
	}
	return nil
}

func (d *Dir) replace(b []byte, sync bool) error {
	// O_TRUNC: a file that a killed process left is useless, and the lock excludes other writers.
	fd, err := unix.Openat(d.fd, nextFile, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: d.Path(nextFile), Err: err}
	}
	err = d.fill(fd, b, sync)
	if e := unix.Close(fd); err == nil && e != nil {
		err = &os.PathError{Op: "close", Path: d.Path(nextFile), Err: e}
	}
	if err == nil {
		// Exchange the files, so that the old state remains as a spare. This costs nothing extra, but some file
		// systems do not support it.
		if unix.Renameat2(d.fd, nextFile, d.fd, stateFile, unix.RENAME_EXCHANGE) == nil {
			return nil
		}
		if err = unix.Renameat(d.fd, nextFile, d.fd, stateFile); err != nil {
			err = &os.LinkError{Op: "rename", Old: d.Path(nextFile), New: d.Path(stateFile), Err: err}
		}
	}
	if err != nil {
		_ = unix.Unlinkat(d.fd, nextFile, 0)
		return err
	}
	return nil
}

// fill writes all of b to a new file.
func (d *Dir) fill(fd int, b []byte, sync bool) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: d.Path(nextFile), Err: err}
		}
		b = b[n:]
	}
	for sync {
		err := unix.Fsync(fd)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return &os.PathError{Op: "sync", Path: d.Path(nextFile), Err: err}
		}
	}
	return nil
}

// Remove removes the directory and everything in it, and closes the Dir. It removes the state last: if it is
// killed midway, the state still describes what is left.
func (d *Dir) Remove() error {
	defer d.Close()
	names, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("state of container %s: %w", d.id, err)
	}
	for _, n := range names {
		if n.Name() == stateFile {
			continue
		}
		if unix.Unlinkat(d.fd, n.Name(), 0) == nil {
			continue
		}
		if err := os.RemoveAll(d.Path(n.Name())); err != nil {
			return fmt.Errorf("state of container %s: %w", d.id, err)
		}
	}
	if unix.Unlinkat(d.fd, stateFile, 0) == nil && unix.Rmdir(d.path) == nil {
		return nil
	}
	// Something else is there, or nothing is left, or the removal failed. Package os returns the matching error.
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("state of container %s: %w", d.id, err)
	}
	return nil
}

// Close releases the lock and closes the descriptor. A second call does nothing.
func (d *Dir) Close() error {
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return unix.Close(fd)
}
