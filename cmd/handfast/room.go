package main

import (
	"fmt"
	"os"
	"path"
	goruntime "runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Go's runtime crashes with stack traces if it cannot create a thread or open a descriptor for its poller, and the
// program cannot recover from that. So the limits are checked first. Nothing can be done about the four threads that
// the runtime creates before main begins.
const (
	queryThreads = 2   // threads that a command which starts no process may still create
	startThreads = 6   // and one that starts a process
	scarceTasks  = 32  // with fewer tasks left, Go may run on one processor only, which takes fewer threads
	neededFDs    = 8   // descriptors: two for the poller, and a few files at once
	plentyFDs    = 256 // a limit from which on nothing needs checking
)

// checkRoom returns an error if this process may not have the threads and descriptors that the command needs.
func checkRoom(c command) error {
	if err := checkDescriptors(); err != nil {
		return err
	}
	need := int64(queryThreads)
	if c.makesProcess {
		need = startThreads
	}
	room, where, limited := taskRoom()
	if limited && room < scarceTasks {
		goruntime.GOMAXPROCS(1)
	}
	if limited && room < need {
		return fmt.Errorf("only %d more tasks may be created here (%s), and this command needs %d for its own threads: "+
			"raise the limit, or run it elsewhere: %w", max(room, 0), where, need, unix.EAGAIN)
	}
	return nil
}

// checkDescriptors tries, if the limit is low, to open as many descriptors as every command needs.
func checkDescriptors() error {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= plentyFDs {
		return nil
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	fds := []int{null}
	for err == nil && len(fds) < neededFDs {
		var fd int
		if fd, err = unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			fds = append(fds, fd)
		}
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
	if err == unix.EMFILE {
		return fmt.Errorf("RLIMIT_NOFILE, the limit of descriptors, is %d, which does not leave the %d that any command "+
			"needs: raise it (ulimit -n): %w", limit.Cur, neededFDs, err)
	}
	return nil
}

// taskRoom returns how many more tasks this process may create under RLIMIT_NPROC and under the pids.max of its control
// group and of those above it, if they are mounted in the usual places. where names the limit that decides.
func taskRoom() (room int64, where string, limited bool) {
	var limit unix.Rlimit
	// All processes of a user share this limit; it does not apply to root (kernel/fork.c, copy_process).
	if os.Geteuid() != 0 && unix.Getrlimit(unix.RLIMIT_NPROC, &limit) == nil && limit.Cur < scarceTasks {
		room, where, limited = int64(limit.Cur), "RLIMIT_NPROC, ulimit -u", true
	}
	var buf [4096]byte
	base, group := pidsGroup(readSmall("/proc/self/cgroup", buf[:]))
	for ; base != "" && group != "."; group = path.Dir(group) {
		dir := path.Join(base, group)
		most, err := strconv.ParseInt(readSmall(dir+"/pids.max", buf[:]), 10, 64)
		if err == nil {
			now, err := strconv.ParseInt(readSmall(dir+"/pids.current", buf[:]), 10, 64)
			if err == nil && (!limited || most-now < room) {
				room, where, limited = most-now, dir+"/pids.max", true
			}
		}
		if group == "/" {
			break
		}
	}
	return room, where, limited
}

// pidsGroup finds the group that the pids controller counts this process in, from the text of /proc/self/cgroup
// (cgroups(7)). On a hybrid host that is the one of v1.
func pidsGroup(text string) (base, group string) {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(f) != 3 || !path.IsAbs(f[2]):
		case f[1] == "pids":
			return "/sys/fs/cgroup/pids", f[2]
		case f[0] == "0":
			base, group = "/sys/fs/cgroup", f[2]
		}
	}
	return base, group
}

// readSmall returns a file's text without white space at its ends, or an empty string if it cannot be read. It uses
// bare system calls, because package os would need descriptors for the poller.
func readSmall(file string, buf []byte) string {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(buf[:n]))
}
