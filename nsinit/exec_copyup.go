package nsinit

import (
	"bytes"
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
)

// maxCopyDepth bounds the directories that tmpcopyup descends into.
const maxCopyDepth = 64

// copyUp copies the content of the directory that a tmpfs will cover into the tmpfs, which is mounted nowhere yet. There may be no such directory.
func (c *child) copyUp(tree int, dest string) error {
	from, err := c.root.Open(dest, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sys.Close(from)
	return copyDir(from, tree, dest, maxCopyDepth)
}

// copyDir copies what from holds into to: directories, files and links with their modes and owners. Devices and sockets stay behind.
func copyDir(from, to int, name string, depth int) error {
	if depth == 0 {
		return op("copy", name, unix.ELOOP)
	}
	names, err := listDir(from, name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := copyEntry(from, to, n, path.Join(name, n), depth); err != nil {
			return err
		}
	}
	return nil
}

func copyEntry(from, to int, n, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, n, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return op("fstatat", name, err)
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err = copySubdir(from, to, n, name, &st, depth)
	case unix.S_IFREG:
		err = copyFile(from, to, n, name, &st)
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		size, e := unix.Readlinkat(from, n, buf)
		if e != nil {
			return op("readlink", name, e)
		}
		err = op("symlink", name, unix.Symlinkat(string(buf[:size]), to, n))
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return op("chown", name, unix.Fchownat(to, n, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW))
}

func copySubdir(from, to int, n, name string, st *unix.Stat_t, depth int) error {
	if err := unix.Mkdirat(to, n, st.Mode&0o7777); err != nil {
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
	return copyDir(in, out, name, depth-1)
}

func copyFile(from, to int, n, name string, st *unix.Stat_t) error {
	in, err := unix.Openat(from, n, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return op("open", name, err)
	}
	defer sys.Close(in)
	out, err := unix.Openat(to, n, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, st.Mode&0o7777)
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

// listDir is the names in a directory.
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
			// struct linux_dirent64, getdents(2): inode and offset of eight bytes each, the record's length, a type, the name.
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
