package faults

import (
	"strings"

	"golang.org/x/sys/unix"
)

// table holds the system calls that change something, by number. The errnos are those in the manual pages of
// section 2 that result from a full disk, a limit, a policy or failing hardware, without those for wrong arguments.
var table = map[uint64]changing{
	unix.SYS_MKDIR:             {"mkdir", first, making, nil},
	unix.SYS_MKDIRAT:           {"mkdirat", second, making, nil},
	unix.SYS_RMDIR:             {"rmdir", first, removing, nil},
	unix.SYS_UNLINK:            {"unlink", first, removing, nil},
	unix.SYS_UNLINKAT:          {"unlinkat", second, removing, nil},
	unix.SYS_RENAME:            {"rename", first, making, nil},
	unix.SYS_RENAMEAT:          {"renameat", second, making, nil},
	unix.SYS_RENAMEAT2:         {"renameat2", second, making, nil},
	unix.SYS_SYMLINKAT:         {"symlinkat", first, making, nil},
	unix.SYS_LINKAT:            {"linkat", second, making, nil},
	unix.SYS_MKNODAT:           {"mknodat", second, making, nil},
	unix.SYS_OPENAT:            {"openat", second, opening, creates},
	unix.SYS_OPENAT2:           {"openat2", second, opening, writes},
	unix.SYS_WRITE:             {"write", descriptor, writing, toFile},
	unix.SYS_FSYNC:             {"fsync", descriptor, []unix.Errno{unix.EIO, unix.ENOSPC}, nil},
	unix.SYS_FCHMOD:            {"fchmod", descriptor, policy, nil},
	unix.SYS_FCHMODAT:          {"fchmodat", second, policy, nil},
	unix.SYS_FCHOWN:            {"fchown", descriptor, policy, nil},
	unix.SYS_FCHOWNAT:          {"fchownat", second, policy, nil},
	unix.SYS_MOUNT:             {"mount", second, mounting, nil},
	unix.SYS_UMOUNT2:           {"umount2", first, []unix.Errno{unix.EBUSY, unix.EPERM}, nil},
	unix.SYS_PIVOT_ROOT:        {"pivot_root", first, []unix.Errno{unix.EBUSY, unix.EINVAL, unix.EPERM}, nil},
	unix.SYS_CHROOT:            {"chroot", first, policy, nil},
	unix.SYS_OPEN_TREE:         {"open_tree", second, []unix.Errno{unix.EMFILE, unix.EPERM, unix.ENOMEM}, clones},
	unix.SYS_MOVE_MOUNT:        {"move_mount", second, mounting, nil},
	unix.SYS_FSOPEN:            {"fsopen", first, []unix.Errno{unix.EMFILE, unix.EPERM, unix.ENOMEM, unix.ENODEV}, nil},
	unix.SYS_FSCONFIG:          {"fsconfig", descriptor, []unix.Errno{unix.EINVAL, unix.EPERM, unix.ENOMEM}, nil},
	unix.SYS_FSMOUNT:           {"fsmount", descriptor, []unix.Errno{unix.EMFILE, unix.EPERM, unix.ENOMEM}, nil},
	unix.SYS_MOUNT_SETATTR:     {"mount_setattr", second, []unix.Errno{unix.EINVAL, unix.EPERM, unix.EBUSY}, nil},
	unix.SYS_SETNS:             {"setns", descriptor, policy, nil},
	unix.SYS_UNSHARE:           {"unshare", nowhere, []unix.Errno{unix.EPERM, unix.ENOSPC, unix.ENOMEM}, nil},
	unix.SYS_CLONE:             {"clone", nowhere, cloning, process},
	unix.SYS_CLONE3:            {"clone3", nowhere, cloning, process3},
	unix.SYS_EXECVE:            {"execve", first, executing, nil},
	unix.SYS_EXECVEAT:          {"execveat", descriptor, executing, nil},
	unix.SYS_SETHOSTNAME:       {"sethostname", nowhere, policy, nil},
	unix.SYS_SETDOMAINNAME:     {"setdomainname", nowhere, policy, nil},
	unix.SYS_BIND:              {"bind", nowhere, []unix.Errno{unix.EADDRINUSE, unix.EACCES, unix.ENOMEM}, nil},
	unix.SYS_LISTEN:            {"listen", nowhere, []unix.Errno{unix.EADDRINUSE}, nil},
	unix.SYS_CONNECT:           {"connect", nowhere, []unix.Errno{unix.ECONNREFUSED, unix.EACCES, unix.ETIMEDOUT}, nil},
	unix.SYS_SOCKETPAIR:        {"socketpair", nowhere, []unix.Errno{unix.EMFILE, unix.ENFILE}, nil},
	unix.SYS_SOCKET:            {"socket", nowhere, []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS}, nil},
	unix.SYS_SENDMSG:           {"sendmsg", nowhere, sending, nil},
	unix.SYS_SENDTO:            {"sendto", nowhere, []unix.Errno{unix.ENOBUFS, unix.ENOMEM}, nil},
	unix.SYS_FSPICK:            {"fspick", second, []unix.Errno{unix.EMFILE, unix.EPERM, unix.ENOMEM}, nil},
	unix.SYS_PIPE2:             {"pipe2", nowhere, []unix.Errno{unix.EMFILE, unix.ENFILE}, nil},
	unix.SYS_MEMFD_CREATE:      {"memfd_create", first, []unix.Errno{unix.EMFILE, unix.ENOMEM}, nil},
	unix.SYS_PIDFD_OPEN:        {"pidfd_open", nowhere, []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM}, nil},
	unix.SYS_PIDFD_SEND_SIGNAL: {"pidfd_send_signal", nowhere, []unix.Errno{unix.EPERM}, nil},
	unix.SYS_SETSID:            {"setsid", nowhere, []unix.Errno{unix.EPERM}, nil},
	unix.SYS_SETGROUPS:         {"setgroups", nowhere, []unix.Errno{unix.EPERM, unix.ENOMEM}, nil},
	unix.SYS_SETRESUID:         {"setresuid", nowhere, []unix.Errno{unix.EAGAIN, unix.EPERM}, nil},
	unix.SYS_SETRESGID:         {"setresgid", nowhere, []unix.Errno{unix.EAGAIN, unix.EPERM}, nil},
	unix.SYS_CAPSET:            {"capset", nowhere, []unix.Errno{unix.EPERM}, nil},
	unix.SYS_PERSONALITY:       {"personality", nowhere, []unix.Errno{unix.EINVAL, unix.EPERM}, nil},
	unix.SYS_SET_MEMPOLICY:     {"set_mempolicy", nowhere, []unix.Errno{unix.EINVAL, unix.ENOMEM}, nil},
	unix.SYS_SCHED_SETATTR:     {"sched_setattr", nowhere, []unix.Errno{unix.EBUSY, unix.EINVAL, unix.EPERM}, nil},
	unix.SYS_IOPRIO_SET:        {"ioprio_set", nowhere, []unix.Errno{unix.EINVAL, unix.EPERM}, nil},
	unix.SYS_BPF:               {"bpf", nowhere, []unix.Errno{unix.EPERM, unix.ENOMEM, unix.E2BIG}, nil},
	unix.SYS_FLOCK:             {"flock", descriptor, []unix.Errno{unix.ENOLCK}, nil},

	unix.SYS_LANDLOCK_CREATE_RULESET: {"landlock_create_ruleset", nowhere, []unix.Errno{unix.EMFILE, unix.ENOMEM}, nil},
	unix.SYS_LANDLOCK_ADD_RULE:       {"landlock_add_rule", nowhere, []unix.Errno{unix.E2BIG, unix.ENOMEM}, nil},
	unix.SYS_LANDLOCK_RESTRICT_SELF:  {"landlock_restrict_self", nowhere, []unix.Errno{unix.E2BIG, unix.ENOMEM}, nil},
}

// others holds calls that change nothing, or only the process that makes them (At.Any).
var others = map[uint64]changing{
	unix.SYS_READ:              {"read", descriptor, reading, nil},
	unix.SYS_PREAD64:           {"pread64", descriptor, reading, nil},
	unix.SYS_FSTAT:             {"fstat", descriptor, reading, nil},
	unix.SYS_NEWFSTATAT:        {"newfstatat", second, searching, nil},
	unix.SYS_FACCESSAT2:        {"faccessat2", second, searching, nil},
	unix.SYS_CHDIR:             {"chdir", first, searching, nil},
	unix.SYS_FCHDIR:            {"fchdir", descriptor, searching, nil},
	unix.SYS_GETCWD:            {"getcwd", nowhere, []unix.Errno{unix.ENOENT, unix.ENOMEM, unix.EACCES}, nil},
	unix.SYS_UMASK:             {"umask", numbers, nil, nil},
	unix.SYS_PRCTL:             {"prctl", numbers, policy, nil},
	unix.SYS_CAPGET:            {"capget", nowhere, []unix.Errno{unix.EPERM}, nil},
	unix.SYS_SECCOMP:           {"seccomp", numbers, policy, nil},
	unix.SYS_KEYCTL:            {"keyctl", numbers, []unix.Errno{unix.EDQUOT, unix.EACCES, unix.ENOMEM}, nil},
	unix.SYS_PRLIMIT64:         {"prlimit64", numbers, policy, nil},
	unix.SYS_SCHED_SETAFFINITY: {"sched_setaffinity", nowhere, []unix.Errno{unix.EINVAL, unix.EPERM}, nil},
	unix.SYS_IOCTL:             {"ioctl", nowhere, []unix.Errno{unix.EPERM, unix.ENODEV, unix.EIO}, nil},
	unix.SYS_DUP3:              {"dup3", numbers, []unix.Errno{unix.EBUSY, unix.EMFILE, unix.EBADF}, nil},
	unix.SYS_CLOSE:             {"close", descriptor, []unix.Errno{unix.EIO, unix.EINTR}, nil},
	unix.SYS_CLOSE_RANGE:       {"close_range", numbers, []unix.Errno{unix.EMFILE, unix.ENOMEM}, nil},
	unix.SYS_ACCEPT4:           {"accept4", nowhere, []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM}, nil},
}

var (
	reading   = []unix.Errno{unix.EIO, unix.ENOMEM}
	searching = []unix.Errno{unix.EACCES, unix.EIO, unix.ELOOP, unix.ENOMEM, unix.ENOENT, unix.ENOTDIR}
	making    = []unix.Errno{unix.EACCES, unix.EDQUOT, unix.EIO, unix.ENOMEM, unix.ENOSPC, unix.EPERM, unix.EROFS}
	removing  = []unix.Errno{unix.EACCES, unix.EBUSY, unix.EIO, unix.ENOMEM, unix.EPERM, unix.EROFS}
	writing   = []unix.Errno{unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.EPERM}
	sending   = []unix.Errno{unix.EPIPE, unix.ECONNRESET, unix.ENOBUFS, unix.ENOMEM}
	opening   = []unix.Errno{unix.EACCES, unix.EDQUOT, unix.EMFILE, unix.ENFILE, unix.ENOMEM,
		unix.ENOSPC, unix.EPERM, unix.EROFS}
	policy    = []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOMEM}
	mounting  = []unix.Errno{unix.EACCES, unix.EBUSY, unix.EINVAL, unix.ENOMEM, unix.ENOSPC, unix.EPERM}
	cloning   = []unix.Errno{unix.EAGAIN, unix.EBUSY, unix.ENOMEM, unix.ENOSPC, unix.EPERM}
	executing = []unix.Errno{unix.EACCES, unix.EAGAIN, unix.EIO, unix.ENFILE, unix.ENOMEM, unix.EPERM, unix.ETXTBSY}
)

func creates(_ *tracee, args [6]uint64, _ string) bool {
	return args[2]&(unix.O_CREAT|unix.O_TRUNC) != 0
}

// writes reports whether openat2(2)'s struct open_how, at argument 2, requests to write.
func writes(t *tracee, args [6]uint64, _ string) bool {
	return t.word(args[2])&(unix.O_ACCMODE|unix.O_CREAT|unix.O_TRUNC) != unix.O_RDONLY
}

func clones(_ *tracee, args [6]uint64, _ string) bool { return args[2]&unix.OPEN_TREE_CLONE != 0 }

// toFile leaves out writes to pipes and sockets, such as those with which the Go runtime wakes itself.
func toFile(_ *tracee, _ [6]uint64, path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/dev/")
}

func process(_ *tracee, args [6]uint64, _ string) bool { return args[0]&unix.CLONE_THREAD == 0 }

// process3 reads clone3(2)'s struct clone_args, at argument 0. A call without one only tests whether clone3 exists.
func process3(t *tracee, args [6]uint64, _ string) bool {
	return args[0] != 0 && t.word(args[0])&unix.CLONE_THREAD == 0
}
