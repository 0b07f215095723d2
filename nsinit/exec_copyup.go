package nsinit

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// maxCopyDepth is the depth to which tmpcopyup descends into directories.
const maxCopyDepth = 64

// copyUp copies the content of the directory that a tmpfs will cover into the tmpfs, which is not mounted anywhere
// yet. It gives the tmpfs the owner of the directory, unless the options of the tmpfs name one. It is no error if
// the directory does not exist.
func (c *child) copyUp(tree int, dest string, options []string) error {
	from, err := c.root.Open(dest, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(from)
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return op("fstat", dest, err)
	}
	uid, gid := int(st.Uid), int(st.Gid)
	if hasOption(options, "uid=") {
		uid = -1
	}
	if hasOption(options, "gid=") {
		gid = -1
	}
	// EINVAL: the owner has no ID in this user namespace. Then root of this namespace may own the tmpfs.
	if err := unix.Fchownat(tree, "", uid, gid, unix.AT_EMPTY_PATH); err != nil && err != unix.EINVAL {
		return op("chown", dest, err)
	}
	err = c.copyDir(from, tree, dest, maxCopyDepth)
	// copyXattrs changes the working directory.
	return errors.Join(err, op("chdir", "/", unix.Chdir("/")))
}

// hasOption reports whether an option with this beginning is among the options of a file system.
func hasOption(options []string, beginning string) bool {
	return slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, beginning) })
}

// copyDir copies the entries of from into to. It copies every kind of entry with its mode, owner and extended
// attributes.
func (c *child) copyDir(from, to int, name string, depth int) error {
	if depth == 0 {
		return op("copy", name, unix.ELOOP)
	}
	names, err := listDir(from, name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := c.copyEntry(from, to, n, path.Join(name, n), depth); err != nil {
			return err
		}
	}
	return nil
}

// copyEntry copies one entry. It sets the owner, the mode and the extended attributes last and in this order,
// because a change of the owner clears the set-user-ID and set-group-ID bits and security.capability, and so may a
// write.
func (c *child) copyEntry(from, to int, n, name string, depth int) error {
	if err := c.parentIsThere(); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(from, n, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return op("fstatat", name, err)
	}
	var err error
	kind := st.Mode & unix.S_IFMT
	switch kind {
	case unix.S_IFDIR:
		err = c.copySubdir(from, to, n, name, depth)
	case unix.S_IFREG:
		err = copyFile(from, to, n, name)
	case unix.S_IFLNK:
		err = copyLink(from, to, n, name)
	default:
		// A device cannot be made in a user namespace, and could not be opened in a tmpfs there. That is an error,
		// because nothing in the image may be left out silently.
		err = op("mknod", name, unix.Mknodat(to, n, kind|0o600, int(st.Rdev)))
	}
	if err != nil {
		return err
	}
	if err := unix.Fchownat(to, n, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return op("chown", name, err)
	}
	if kind != unix.S_IFLNK { // the mode of a link is never used
		if err := unix.Fchmodat(to, n, st.Mode&0o7777, 0); err != nil {
			return op("chmod", name, err)
		}
	}
	return copyXattrs(from, to, n, name)
}

func copyLink(from, to int, n, name string) error {
	buf := make([]byte, unix.PathMax)
	size, err := unix.Readlinkat(from, n, buf)
	if err != nil {
		return op("readlink", name, err)
	}
	return op("symlink", name, unix.Symlinkat(string(buf[:size]), to, n))
}

// copyXattrs copies extended attributes. It leaves out those that a tmpfs of this kernel does not support or that
// this process may not set: user attributes before Linux 6.6, and trusted attributes in a user namespace. Before
// Linux 6.13 no xattr system call takes a directory descriptor, so the entries are named relative to the working
// directory.
func copyXattrs(from, to int, n, name string) error {
	if err := unix.Fchdir(from); err != nil {
		return op("fchdir", name, err)
	}
	list, err := readXattr(func(buf []byte) (int, error) { return unix.Llistxattr(n, buf) })
	if err != nil || len(list) == 0 {
		if err == unix.EOPNOTSUPP {
			err = nil
		}
		return op("listxattr", name, err)
	}
	attrs := strings.Split(strings.TrimRight(string(list), "\x00"), "\x00")
	values := make([][]byte, len(attrs))
	for i, a := range attrs {
		values[i], err = readXattr(func(buf []byte) (int, error) { return unix.Lgetxattr(n, a, buf) })
		if err != nil {
			return op("getxattr "+a, name, err)
		}
	}
	if err := unix.Fchdir(to); err != nil {
		return op("fchdir", name, err)
	}
	for i, a := range attrs {
		err := unix.Lsetxattr(n, a, values[i], 0)
		if err != nil && err != unix.EOPNOTSUPP && err != unix.EPERM && err != unix.EACCES {
			return op("setxattr "+a, name, err)
		}
	}
	return nil
}

// readXattr returns the value that read(buf) stores in buf. It first asks read for the size.
func readXattr(read func(buf []byte) (int, error)) ([]byte, error) {
	for {
		size, err := read(nil)
		if err != nil || size == 0 {
			return nil, err
		}
		buf := make([]byte, size)
		if size, err = read(buf); err != unix.ERANGE { // otherwise it has grown in the meantime
			return buf[:max(size, 0)], err
		}
	}
}

func (c *child) copySubdir(from, to int, n, name string, depth int) error {
	if err := unix.Mkdirat(to, n, 0o700); err != nil {
		return op("mkdir", name, err)
	}
	in, err := unix.Openat(from, n, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", name, err)
	}
	defer sys.Close(in)
	out, err := unix.Openat(to, n, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", name, err)
	}
	defer sys.Close(out)
	return c.copyDir(in, out, name, depth-1)
}

func copyFile(from, to int, n, name string) error {
	in, err := unix.Openat(from, n, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", name, err)
	}
	defer sys.Close(in)
	out, err := unix.Openat(to, n, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return op("create", name, err)
	}
	defer sys.Close(out)
	buf := make([]byte, 64<<10)
	for {
		r, err := unix.Read(in, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || r == 0 {
			return op("read", name, err)
		}
		for b := buf[:r]; len(b) > 0; {
			w, err := unix.Write(out, b)
			if err != nil && err != unix.EINTR {
				return op("write", name, err)
			}
			b = b[max(w, 0):]
		}
	}
}

// listDir returns the names in a directory.
func listDir(fd int, name string) ([]string, error) {
	var names []string
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			return nil, op("getdents", name, err)
		}
		if n == 0 {
			return names, nil
		}
		for b := buf[:n]; len(b) > 19; {
			// struct linux_dirent64, getdents(2): inode and offset of eight bytes each, length of the record, type,
			// name.
			size := int(b[16]) | int(b[17])<<8
			entry := b[19:size]
			if i := bytes.IndexByte(entry, 0); i >= 0 {
				entry = entry[:i]
			}
			if s := string(entry); s != "." && s != ".." {
				names = append(names, s)
			}
			b = b[size:]
		}
	}
}
