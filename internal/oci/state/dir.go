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

// Dir is the directory of one container, held by a descriptor. Create and Lock return it locked; Close lets the lock
// go. It is used by one goroutine at a time.
type Dir struct {
	id   string
	path string
	fd   int // owned; close-on-exec, so that no child keeps the lock

	medium medium // where the files are, once Save has looked
}

// medium is what a file system keeps files on.
type medium int

const (
	unknown medium = iota
	disk           // or another thing that outlives the machine's memory
	memory         // nothing of it is there after a crash
)

// inMemory says whether what is written here is gone after a crash, synced or not. Who cannot tell syncs.
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

// Path is the absolute path of a file beside the state, such as the gate's socket. Remove removes it with the rest.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// Lock opens a container for changing and waits for its lock until ctx is done, then gives ErrBusy. Without a container
// the error is ErrNotExist. The caller owns the Dir.
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
		// flock(2) has no timeout, so it is tried again and again.
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

// current says whether the path still leads to the directory that is held, and not to nothing or to a successor.
func (d *Dir) current() bool {
	var held, named unix.Stat_t
	return unix.Fstat(d.fd, &held) == nil && unix.Lstat(d.path, &named) == nil && held.Ino == named.Ino &&
		held.Dev == named.Dev
}

// Load reads the state, see Store.Load.
func (d *Dir) Load() (*State, error) {
	s, err := d.load(stateFile)
	if errors.Is(err, os.ErrNotExist) {
		// Killed before the first state was in place, or it was removed: then the spare one knows what there is.
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

// Spare is the state as it was before the last Save, for a container whose state is damaged; nil if there is none that
// can be read.
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

// Save replaces the state. After a crash at any moment the old or the new one is there, whole: written beside it,
// synced, unless the file system is in memory, and exchanged with it. The directory is not synced:
// no container outlives the crash, so which of the two is found does not matter, and on a disk it would cost as much as
// all the rest.
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
	// O_TRUNC: one that a killed call left is of no use, and the lock says that nobody else writes it now.
	fd, err := unix.Openat(d.fd, nextFile, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: d.Path(nextFile), Err: err}
	}
	err = d.fill(fd, b, sync)
	if e := unix.Close(fd); err == nil && e != nil {
		err = &os.PathError{Op: "close", Path: d.Path(nextFile), Err: e}
	}
	if err == nil {
		// The two change places, so that the old state stays as a spare one. That costs nothing, and some file systems
		// cannot do it.
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

// fill writes the whole of b to a new file.
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

// Remove removes the directory and everything in it, the state last, so that what is left after a kill midway still
// says what it was, and closes the Dir.
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
	// Something else is there, or nothing any more, or it cannot be: package os says which.
	if err := os.RemoveAll(d.path); err != nil {
		return fmt.Errorf("state of container %s: %w", d.id, err)
	}
	return nil
}

// Close lets the lock and the descriptor go. A second call does nothing.
func (d *Dir) Close() error {
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return unix.Close(fd)
}
