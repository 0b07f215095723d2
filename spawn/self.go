package spawn

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openSelf opens this program in a form that a container cannot write to. For a moment before its execution the child
// runs this program inside the container, where a process that opens /proc/PID/exe could write to the host's file
// (CVE-2019-5736). So the child executes
//
//   - a private read-only clone of the mount that the program stands on (open_tree(2), mount_setattr(2)): nothing is
//     copied and no mount namespace sees it; a write meets EROFS, and once the last descriptor is closed the clone is
//     in no namespace and mount_setattr(2) on it is refused;
//   - or the file as it is, where the user that runs us could not write to it anyway;
//   - or a sealed copy in memory (memfd_create(2)), where neither can be had.
//
// The caller owns the file, and closes it as soon as the child has executed it.
func openSelf() (*os.File, Protection, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, selfExe, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err == nil {
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
		if err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err == nil {
			return os.NewFile(uintptr(fd), selfExe), ReadOnlyMount, nil
		}
		_ = unix.Close(fd)
	}
	if writable, err := selfWritable(); err == nil && !writable {
		f, err := os.OpenFile(selfExe, unix.O_PATH|unix.O_CLOEXEC, 0)
		return f, NotWritable, err
	}
	f, err := sealedSelf()
	return f, SealedCopy, err
}

// Protection says how the program that the child executes is protected from being overwritten by the container
// (CVE-2019-5736), see Process.Protection.
type Protection string

// The protections of the program itself, best first.
const (
	ReadOnlyMount Protection = "a read-only clone of the mount that it is on"
	NotWritable   Protection = "none: this user cannot write to it anyway"
	SealedCopy    Protection = "a sealed copy in memory"
	SmallChild    Protection = "another one in its place, small and sealed in memory"
)

const selfExe = "/proc/self/exe"

// selfWritable reports whether this user could write to the program's file, or change its mode to be able to.
func selfWritable() (bool, error) {
	var st unix.Stat_t
	if err := unix.Stat(selfExe, &st); err != nil {
		return true, err
	}
	return int(st.Uid) == unix.Geteuid() || unix.Geteuid() == 0 || unix.Faccessat(unix.AT_FDCWD, selfExe, unix.W_OK,
		unix.AT_EACCESS) == nil, nil
}

func sealedSelf() (*os.File, error) {
	in, err := os.Open(selfExe)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return sealed("handfast", func(out *os.File) error {
		if _, err := out.ReadFrom(in); err != nil {
			return fmt.Errorf("copy %s: %w", selfExe, err)
		}
		return nil
	})
}

// sealed is a file in memory of which nothing can be changed any more, with what write puts into it. The caller owns
// it.
func sealed(name string, write func(out *os.File) error) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING) // before Linux 6.3
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	out := os.NewFile(uintptr(fd), "memfd:"+name)
	if err := write(out); err != nil {
		_ = out.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(out.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		_ = out.Close()
		return nil, os.NewSyscallError("fcntl F_ADD_SEALS", err)
	}
	return out, nil
}
