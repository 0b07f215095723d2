package cgroupfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// dir is an open directory of a cgroup file system.
type dir struct {
	fd   int
	name string // absolute path on the host, for errors
}

// openMount opens the mount point of a hierarchy and checks that a cgroup file system is mounted there.
func openMount(h *Hierarchy) (dir, error) {
	fd, err := unix.Open(h.Mountpoint, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dir{}, &os.PathError{Op: "open", Path: h.Mountpoint, Err: err}
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		_ = unix.Close(fd)
		return dir{}, &os.PathError{Op: "fstatfs", Path: h.Mountpoint, Err: err}
	}
	want := int64(unix.CGROUP_SUPER_MAGIC)
	if h.V2 {
		want = unix.CGROUP2_SUPER_MAGIC
	}
	if int64(st.Type) != want {
		_ = unix.Close(fd)
		return dir{}, fmt.Errorf("%s is not a cgroup file system (magic %#x, want %#x): %w", h.Mountpoint, st.Type, want,
			unix.EINVAL)
	}
	return dir{fd, h.Mountpoint}, nil
}

// openGroup opens the group at a path below a hierarchy's mount, if it exists.
func openGroup(h *Hierarchy, rel string) (d dir, found bool, err error) {
	mount, err := openMount(h)
	if err != nil {
		return dir{}, false, err
	}
	defer mount.close()
	d, err = mount.sub(rel)
	if errors.Is(err, unix.ENOENT) {
		return dir{}, false, nil
	}
	return d, err == nil, err
}

// resolveBeneath makes openat2(2) resolve a path beneath the directory, in the same mount, without links.
func resolveBeneath(flags int) *unix.OpenHow {
	return &unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
}

func (d dir) openat(name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat2(d.fd, name, resolveBeneath(flags))
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: path.Join(d.name, name), Err: err}
		}
		return fd, nil
	}
}

// sub opens the group at rel beneath d.
func (d dir) sub(rel string) (dir, error) {
	if rel == "" {
		rel = "."
	}
	fd, err := d.openat(rel, unix.O_PATH|unix.O_DIRECTORY)
	return dir{fd, path.Join(d.name, rel)}, err
}

func (d dir) close() { _ = unix.Close(d.fd) }

func (d dir) mkdir(rel string) error {
	if err := unix.Mkdirat(d.fd, rel, 0o755); err != nil {
		return &os.PathError{Op: "mkdir", Path: path.Join(d.name, rel), Err: err}
	}
	return nil
}

func (d dir) rmdir(rel string) error {
	if err := unix.Unlinkat(d.fd, rel, unix.AT_REMOVEDIR); err != nil {
		return &os.PathError{Op: "rmdir", Path: path.Join(d.name, rel), Err: err}
	}
	return nil
}

// write writes a value in one write(2), as the kernel's parsers require.
func (d dir) write(file, value string) error {
	fd, err := d.openat(file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Write(fd, []byte(value))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: fmt.Sprintf("write %q to", value), Path: path.Join(d.name, file), Err: err}
		}
		return nil
	}
}

// read reads a whole file, up to a limit far above the size of any control file.
func (d dir) read(file string) (string, error) {
	const most = 16 << 20
	fd, err := d.openat(file, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var out []byte
	buf := make([]byte, 4096)
	for len(out) < most {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", &os.PathError{Op: "read", Path: path.Join(d.name, file), Err: err}
		}
		if n == 0 {
			break
		}
		out = append(out, buf[:n]...)
	}
	return string(out), nil
}

// groups returns the names of the group's children.
func (d dir) groups() ([]string, error) {
	fd, err := d.openat(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var names []string
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "getdents", Path: d.name, Err: err}
		}
		if n == 0 {
			return names, nil
		}
		names = appendDirs(names, buf[:n])
	}
}

// appendDirs appends the directories among the records of getdents64(2): inode and offset of eight bytes each, the
// record's length of two, a type, the name.
func appendDirs(names []string, b []byte) []string {
	for len(b) > 19 {
		size := int(b[16]) | int(b[17])<<8
		if size < 20 || size > len(b) {
			break
		}
		entry := b[19:size]
		if i := bytes.IndexByte(entry, 0); i >= 0 {
			entry = entry[:i]
		}
		if s := string(entry); b[18] == unix.DT_DIR && s != "." && s != ".." {
			names = append(names, s)
		}
		b = b[size:]
	}
	return names
}

// prefixes returns the paths from the first component to the whole: a, a/b, a/b/c.
func prefixes(rel string) []string {
	var all []string
	for i := range len(rel) {
		if rel[i] == '/' {
			all = append(all, rel[:i])
		}
	}
	return append(all, rel)
}

// checkPath checks that a group's path is absolute, clean, and not the root itself, and returns it relative to the
// mount.
func checkPath(p string) (string, error) {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsRune(p, 0) {
		return "", fmt.Errorf("cgroup path %q: want an absolute path below the root, without . and ..: %w", p, unix.EINVAL)
	}
	for name := range strings.SplitSeq(p[1:], "/") {
		if len(name) > 255 {
			return "", fmt.Errorf("cgroup path %q: a name of %d bytes is too long: %w", p, len(name), unix.ENAMETOOLONG)
		}
	}
	return p[1:], nil
}
