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

// Go's runtime ends the program with its own stack traces where it gets no thread, or no descriptor for its poller, and
// nothing can be done about that once it happens. So it is looked before whether there is room. The four threads that
// the runtime has before main begins are beyond reach.
const (
	someThreads = 2  // that a command which only looks may make yet
	moreThreads = 6  // that one may which makes a process
	scarce      = 32 // with less room the runtime is kept from making threads for every processor
	someFDs     = 8  // descriptors: the poller's two, and a few files at once
	plentyFDs   = 256
)

// checkRoom is an error if this process may not have the threads and descriptors that the command needs.
func checkRoom(c command) error {
	if err := checkDescriptors(); err != nil {
		return err
	}
	need := int64(someThreads)
	if c.makesProcess {
		need = moreThreads
	}
	room, where, limited := taskRoom()
	if limited && room < scarce {
		goruntime.GOMAXPROCS(1)
	}
	if limited && room < need {
		return fmt.Errorf("tasks that may still be made here: %d (%s); this command needs %d for its own threads: "+
			"raise the limit, or call it from elsewhere: %w", max(room, 0), where, need, unix.EAGAIN)
	}
	return nil
}

// checkDescriptors opens what the command will need at least, where the limit is low.
func checkDescriptors() error {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= plentyFDs {
		return nil
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	fds := []int{null}
	for err == nil && len(fds) < someFDs {
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
			"needs: raise it (ulimit -n): %w", limit.Cur, someFDs, err)
	}
	return nil
}

// taskRoom is how many more tasks this process may make, by RLIMIT_NPROC and by the pids.max of its group and of those
// above it, where they are mounted in the usual places. where names the limit.
func taskRoom() (room int64, where string, limited bool) {
	var limit unix.Rlimit
	// Whoever is under it shares it with all processes of the same user; root is not held to it (kernel/fork.c,
	// copy_process).
	if os.Geteuid() != 0 && unix.Getrlimit(unix.RLIMIT_NPROC, &limit) == nil && limit.Cur < scarce {
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

// pidsGroup is where the process's group with a pids controller is, out of /proc/self/cgroup (cgroups(7)); on a hybrid
// host v1's.
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

// readSmall is a file's text without white space at its ends, empty if it cannot be read. It is by bare calls: package
// os would need the poller.
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
