package sys

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// NewFS creates a file system that is not mounted yet: fsopen(2), its options by fsconfig(2), fsmount(2). flags are
// superblock flags by name ("ro", "lazytime"), data the file system's own options, "key" or "key=value"; attr are
// MOUNT_ATTR_* bits of the mount. The caller owns the descriptor. The error of an option names it, and includes the
// kernel's message.
func NewFS(kind, source string, flags, data []string, attr uint64) (int, error) {
	var fs int
	err := retry(func() (err error) {
		fs, err = unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
		return err
	})
	if err != nil {
		return -1, fail("fsopen", kind, err)
	}
	defer Close(fs)
	if source != "" {
		if err := unix.FsconfigSetString(fs, "source", source); err != nil {
			return -1, &Error{Op: "fsconfig source=" + source, Path: kind, Err: err, Log: fsLog(fs)}
		}
	}
	for _, f := range flags {
		if f == "silent" {
			continue // concerns the kernel's log at mount(2), which fsconfig(2) does not write
		}
		if err := unix.FsconfigSetFlag(fs, f); err != nil {
			return -1, &Error{Op: "option \"" + f + "\" of", Path: kind, Err: err, Log: fsLog(fs)}
		}
	}
	for _, d := range data {
		if err := setOption(fs, d); err != nil {
			return -1, &Error{Op: "option \"" + d + "\" of", Path: kind, Err: err, Log: fsLog(fs)}
		}
	}
	if err := retry(func() error { return unix.FsconfigCreate(fs) }); err != nil {
		return -1, &Error{Op: "create", Path: kind, Err: err, Log: fsLog(fs)}
	}
	var m int
	err = retry(func() (err error) {
		m, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(attr))
		return err
	})
	if err != nil {
		return -1, &Error{Op: "fsmount", Path: kind, Err: err, Log: fsLog(fs)}
	}
	return m, nil
}

// Reconfigure changes options of the file system whose mount fd is on: fspick(2), fsconfig(2). Other options stay as
// they are. flags and data are as for NewFS, but a flag may also clear ("rw", "async").
func Reconfigure(fd int, name string, flags, data []string) error {
	fs, err := unix.Fspick(fd, "", unix.FSPICK_CLOEXEC|unix.FSPICK_EMPTY_PATH)
	if err != nil {
		return fail("fspick", name, err)
	}
	defer Close(fs)
	for _, f := range flags {
		if f == "silent" || f == "loud" {
			continue // as in NewFS
		}
		if err := unix.FsconfigSetFlag(fs, f); err != nil {
			return &Error{Op: "option \"" + f + "\" of", Path: name, Err: err, Log: fsLog(fs)}
		}
	}
	for _, d := range data {
		if err := setOption(fs, d); err != nil {
			return &Error{Op: "option \"" + d + "\" of", Path: name, Err: err, Log: fsLog(fs)}
		}
	}
	if err := retry(func() error { return unix.FsconfigReconfigure(fs) }); err != nil {
		return &Error{Op: "reconfigure", Path: name, Err: err, Log: fsLog(fs)}
	}
	return nil
}

// maxFsconfig is the largest key or value of fsconfig(2) in bytes (strndup_user of 256 bytes in fs/fsopen.c).
const maxFsconfig = 255

// FitsFsconfig reports whether NewFS can pass all of this to the kernel, which only takes longer options by mount(2).
func FitsFsconfig(source string, data []string) bool {
	if len(source) > maxFsconfig {
		return false
	}
	for _, d := range data {
		if key, value, _ := strings.Cut(d, "="); len(key) > maxFsconfig || len(value) > maxFsconfig {
			return false
		}
	}
	return true
}

// superblock has the superblock flags of NewFS as flags of mount(2).
var superblock = map[string]uintptr{
	"ro": unix.MS_RDONLY, "sync": unix.MS_SYNCHRONOUS, "dirsync": unix.MS_DIRSYNC, "lazytime": unix.MS_LAZYTIME,
	"iversion": unix.MS_I_VERSION, "mand": unix.MS_MANDLOCK, "silent": unix.MS_SILENT,
}

// NewFSByMount is NewFS for options that do not fit fsconfig(2): it uses mount(2), which takes a page of options. That
// call can only mount on a path, so the file system is mounted on a temporary tmpfs on place, a directory on a mount
// that is not shared, and its mount is cloned from there. Afterwards the working directory is "/". The caller owns the
// descriptor, and keeps place.
func NewFSByMount(place int, kind, source string, flags, data []string, attr uint64) (tree int, err error) {
	text := strings.Join(data, ",")
	if size := len(text); size >= unix.Getpagesize() {
		return -1, &Error{Op: "mount", Path: kind, Err: unix.E2BIG,
			Log: fmt.Sprintf("%d bytes of options, the kernel takes %d", size, unix.Getpagesize()-1)}
	}
	var sb uintptr
	for _, f := range flags {
		bit, known := superblock[f]
		if !known {
			return -1, &Error{Op: "option \"" + f + "\" of", Path: kind, Err: unix.EINVAL}
		}
		sb |= bit
	}
	stage, err := NewFS("tmpfs", "tmpfs", nil, []string{"mode=700"}, 0)
	if err != nil {
		return -1, err
	}
	defer Close(stage)
	if err := Attach(stage, place, "a place to mount "+kind); err != nil {
		return -1, err
	}
	defer func() {
		_ = unix.Fchdir(stage)
		e := fail("umount", "the place to mount "+kind, unix.Unmount(".", unix.MNT_DETACH))
		if e == nil {
			e = fail("chdir", "/", unix.Chdir("/"))
		}
		if err == nil && e != nil {
			Close(tree)
			tree, err = -1, e
		}
	}()
	if err := unix.Fchdir(stage); err != nil {
		return -1, fail("fchdir", "the place to mount "+kind, err)
	}
	const dir = "fs"
	if err := unix.Mkdirat(stage, dir, 0o700); err != nil {
		return -1, fail("mkdir", "the place to mount "+kind, err)
	}
	err = retry(func() error { return unix.Mount(source, dir, kind, sb, text) })
	if err != nil {
		return -1, &Error{Op: "mount", Path: kind, Err: err,
			Log: fmt.Sprintf("%d bytes of options, which fsconfig(2) does not take", len(text))}
	}
	if tree, err = ClonePath(dir, false); err != nil {
		return -1, err
	}
	if err := SetAttr(tree, kind, false, attr, unix.MOUNT_ATTR_RDONLY&^attr, 0); err != nil {
		Close(tree)
		return -1, err
	}
	return tree, nil
}

// setOption sets one option in the form that its text has. For a key that some file systems take with a value and
// others without, it only tries the form as written.
func setOption(fs int, option string) error {
	key, value, ok := strings.Cut(option, "=")
	if !ok {
		return unix.FsconfigSetFlag(fs, key)
	}
	return unix.FsconfigSetString(fs, key, value)
}

// fsLog returns the kernel's messages about a file system that could not be created, on one line. The kernel's lines
// have a letter and a text, fsopen(2).
func fsLog(fs int) string {
	var lines []string
	buf := make([]byte, 1024)
	for len(lines) < 8 {
		n, err := unix.Read(fs, buf)
		if err != nil || n <= 0 {
			break
		}
		line := strings.TrimSpace(string(buf[:n]))
		if len(line) > 2 && line[1] == ' ' {
			line = line[2:]
		}
		lines = append(lines, strings.ReplaceAll(line, "\n", " "))
	}
	return strings.Join(lines, "; ")
}

// CloneTree returns a detached copy of the mount at fd, or also of all mounts below it, as open_tree(2) makes it. The
// caller owns the descriptor.
func CloneTree(fd int, name string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	tree := -1
	err := retry(func() (err error) {
		tree, err = unix.OpenTree(fd, "", flags)
		return err
	})
	if err != nil {
		return -1, fail("open_tree", name, err)
	}
	return tree, nil
}

// ClonePath calls CloneTree for a path in the caller's own root.
func ClonePath(p string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	tree := -1
	err := retry(func() (err error) {
		tree, err = unix.OpenTree(unix.AT_FDCWD, p, flags)
		return err
	})
	if err != nil {
		return -1, fail("open_tree", p, err)
	}
	return tree, nil
}

// Attach mounts the detached mount tree on target. Both descriptors stay the caller's; tree is the attached mount
// afterwards, and can be used to open files on it. A directory can only be mounted on a directory, and anything else
// only on a non-directory. For other targets the errno is ENOTDIR or EISDIR, instead of the kernel's EINVAL, which has
// many other causes.
func Attach(tree, target int, name string) error {
	err := retry(func() error {
		return unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	})
	if err == unix.EINVAL {
		err = explainKinds(tree, target)
	}
	return fail("move_mount", name, err)
}

// explainKinds returns EINVAL, or the clearer error if one of the two is a directory and the other is not.
func explainKinds(tree, target int) error {
	var from, to unix.Stat_t
	if unix.Fstat(tree, &from) != nil || unix.Fstat(target, &to) != nil {
		return unix.EINVAL
	}
	source, place := from.Mode&unix.S_IFMT == unix.S_IFDIR, to.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case source && !place:
		return fmt.Errorf("a directory cannot be mounted on a file: %w", unix.ENOTDIR)
	case place && !source:
		const hint = "a file cannot be mounted on a directory; name the file's path as the destination"
		return fmt.Errorf(hint+": %w", unix.EISDIR)
	}
	return unix.EINVAL
}

// SetAttr changes the attributes of the mount that fd is on, or also of all mounts below it.
func SetAttr(fd int, name string, recursive bool, set, clear, propagation uint64) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: set, Attr_clr: clear | ClearedTimes(set, clear), Propagation: propagation}
	return fail("mount_setattr", name, retry(func() error { return unix.MountSetattr(fd, "", flags, &attr) }))
}

// ClearedTimes returns what must be cleared besides clear: the access time is one field of several bits, which must be
// cleared as a whole to set one, mount_setattr(2).
func ClearedTimes(set, clear uint64) uint64 {
	if (set|clear)&unix.MOUNT_ATTR__ATIME != 0 || set&unix.MOUNT_ATTR_STRICTATIME != 0 {
		return unix.MOUNT_ATTR__ATIME
	}
	return 0
}

// Attrs returns the MOUNT_ATTR_* bits of the mount that fd is on, from statfs(2).
func Attrs(fd int) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return 0, fail("fstatfs", "", err)
	}
	var attr uint64
	for _, m := range [...]struct{ st, attr uint64 }{
		{unix.ST_RDONLY, unix.MOUNT_ATTR_RDONLY}, {unix.ST_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{unix.ST_NODEV, unix.MOUNT_ATTR_NODEV},
		{unix.ST_NOEXEC, unix.MOUNT_ATTR_NOEXEC}, {unix.ST_NOATIME, unix.MOUNT_ATTR_NOATIME},
		{unix.ST_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
		{0x2000, unix.MOUNT_ATTR_NOSYMFOLLOW}, // ST_NOSYMFOLLOW, include/linux/statfs.h
	} {
		if uint64(st.Flags)&m.st != 0 {
			attr |= m.attr
		}
	}
	if st.Flags&(unix.ST_NOATIME|unix.ST_RELATIME) == 0 {
		attr |= unix.MOUNT_ATTR_STRICTATIME
	}
	return attr, nil
}

// FSType returns the magic number of the file system that fd is on, statfs(2).
func FSType(fd int) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return 0, fail("fstatfs", "", err)
	}
	return int64(st.Type), nil
}
