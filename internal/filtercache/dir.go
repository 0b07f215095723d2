package filtercache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is a directory of entries. It need not exist yet.
type Dir struct{ path string }

// At returns the directory with this absolute path. It touches nothing.
func At(path string) Dir { return Dir{path} }

// Compiler identifies this program by its file, so that another version never uses what this one has compiled.
func Compiler() (string, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: "/proc/self/exe", Err: err}
	}
	b := make([]byte, 0, 80)
	for _, n := range [...]int64{int64(st.Dev), int64(st.Ino), st.Size, st.Mtim.Nano(), st.Ctim.Nano()} {
		b = append(strconv.AppendInt(b, n, 16), ' ')
	}
	return string(b), nil
}

// Load returns the filter of a profile. The error says why there is none, or none that can be trusted; it wraps
// fs.ErrNotExist if the profile was never compiled.
func (d Dir) Load(compiler string, profile []byte) (*Entry, error) {
	dir, err := d.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	name := Name(compiler, profile)
	e, err := read(dir, name, filepath.Join(d.path, name))
	if err != nil {
		return nil, err
	}
	if !e.Is(compiler, profile) {
		return nil, fmt.Errorf("%s is of another profile or program: %w", filepath.Join(d.path, name), fs.ErrNotExist)
	}
	return e, nil
}

// open opens the directory, and refuses one that another user can write to.
func (d Dir) open() (fd int, err error) {
	fd, err = unix.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: d.path, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		err = owned(&st)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, &os.PathError{Op: "use", Path: d.path, Err: err}
	}
	return fd, nil
}

// owned refuses a file that another user owns or can write to.
func owned(st *unix.Stat_t) error {
	if uid := os.Geteuid(); int(st.Uid) != uid {
		return fmt.Errorf("its owner is user %d, not %d: %w", st.Uid, uid, unix.EPERM)
	}
	if st.Mode&0o077 != 0 {
		return fmt.Errorf("its mode is %#o, which gives others access: %w", st.Mode&0o7777, unix.EPERM)
	}
	return nil
}

// Read reads the entry in a file of the directory at.
func Read(path string) (*Entry, error) { return read(unix.AT_FDCWD, path, path) }

func read(dir int, name, path string) (*Entry, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = errors.New("it is not a regular file")
	case st.Size > maxEntry:
		err = fmt.Errorf("it has %d bytes; want at most %d", st.Size, maxEntry)
	default:
		err = owned(&st)
	}
	if err != nil {
		return nil, &os.PathError{Op: "use", Path: path, Err: err}
	}
	b := make([]byte, st.Size)
	for n := 0; n < len(b); {
		m, err := unix.Read(fd, b[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if m == 0 {
			b = b[:n]
		}
		n += m
	}
	e, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// Save puts an entry into the directory, which it creates if need be, and removes the oldest entries if there are too
// many. A concurrent reader finds the whole entry or none. The file is not synced: a crash may leave a damaged entry,
// which is then compiled again.
func (d Dir) Save(e *Entry) error {
	dir, err := d.open()
	if errors.Is(err, unix.ENOENT) {
		if err = os.MkdirAll(filepath.Dir(d.path), 0o700); err == nil {
			err = os.Mkdir(d.path, 0o700)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		dir, err = d.open()
	}
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	name := Name(e.Compiler, e.Profile)
	next := "." + name + "-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if err := write(dir, next, filepath.Join(d.path, next), e.Encode()); err != nil {
		return err
	}
	if err := unix.Renameat(dir, next, dir, name); err != nil {
		_ = unix.Unlinkat(dir, next, 0)
		return &os.LinkError{Op: "rename", Old: filepath.Join(d.path, next), New: filepath.Join(d.path, name), Err: err}
	}
	return d.prune(time.Now())
}

// Write writes an entry to a new file, which must not exist.
func Write(path string, e *Entry) error { return write(unix.AT_FDCWD, path, path, e.Encode()) }

func write(dir int, name, path string, b []byte) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = unix.Unlinkat(dir, name, 0)
	}
	return err
}

// prune removes the oldest entries of a directory that has too many.
func (d Dir) prune(now time.Time) error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	var all []file
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // another process has removed it
		}
		all = append(all, file{e.Name(), info.ModTime()})
	}
	for _, name := range surplus(all, now) {
		if e := os.Remove(filepath.Join(d.path, name)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}
