package lifecycle

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// listening returns the number of sockets that a service manager has opened for the container, as descriptors from
// 3 on, and the environment by which the container's program recognizes them (sd_listen_fds(3)). The sockets are
// for the container if LISTEN_PID is this process, which the manager started. Inside the container LISTEN_PID is 1.
func listening(lookup func(name string) (string, bool), pid int) (n int, env []string, err error) {
	count, found := lookup("LISTEN_FDS")
	owner, _ := lookup("LISTEN_PID")
	if !found || owner != strconv.Itoa(pid) {
		return 0, nil, nil
	}
	n, err = strconv.Atoi(count)
	if err != nil || n < 0 {
		return 0, nil, fmt.Errorf("environment variable LISTEN_FDS: %q is not a number of descriptors: %w", count,
			unix.EINVAL)
	}
	if n == 0 {
		return 0, nil, nil
	}
	env = []string{"LISTEN_FDS=" + strconv.Itoa(n), "LISTEN_PID=1"}
	if names, found := lookup("LISTEN_FDNAMES"); found {
		env = append(env, "LISTEN_FDNAMES="+names)
	}
	return n, env, nil
}

// addListening passes the sockets of a service manager to the container, before the descriptors of --preserve-fds.
func (c *creation) addListening() error {
	n, env, err := listening(os.LookupEnv, os.Getpid())
	if err != nil {
		return err
	}
	c.plan.Spawn.PreserveFDs += n
	p := &c.plan.Spawn.Container.Process
	p.Env = append(p.Env, env...)
	return nil
}
