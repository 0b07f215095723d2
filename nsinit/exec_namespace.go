package nsinit

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/syncproto/container"
)

// sessionStep gives the process a session of its own.
type sessionStep struct{}

func (sessionStep) stage() stage      { return stageSession }
func (sessionStep) detail() string    { return "" }
func (sessionStep) do(c *child) error { return c.session() }

// session gives the process a session of its own and an empty umask. It also protects the process from ptrace(2)
// and from access to its /proc/PID while the process belongs neither to the host nor to the container
// (CVE-2016-9962).
func (c *child) session() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return op("prctl PR_SET_DUMPABLE", "", err)
	}
	// execve named the process after the descriptor of the program. Until the next execution, give it a name that
	// says what it is in ps(1) and in the kernel's log.
	name := [...]byte{'h', 'a', 'n', 'd', 'f', 'a', 's', 't', ':', 'i', 'n', 'i', 't', 0}
	if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
		return op("prctl PR_SET_NAME", "", err)
	}
	if err := c.keyring(); err != nil {
		return err
	}
	// By now the process is in its cgroups.
	everyProcessor()
	// Files get exactly the modes in the configuration; the program's own umask is set at the end.
	unix.Umask(0)
	// EPERM: the process is a process group leader already, as the first process of a new pid namespace may be.
	if _, err := unix.Setsid(); err != nil && err != unix.EPERM {
		return op("setsid", "", err)
	}
	return nil
}

// namespaceStep joins or makes one namespace.
type namespaceStep struct{ namespace *container.Namespace }

func (namespaceStep) stage() stage        { return stageNamespace }
func (s namespaceStep) detail() string    { return s.namespace.How + " " + s.namespace.Kind }
func (s namespaceStep) do(c *child) error { return c.namespace(s.namespace) }

// hostnameStep sets the host name.
type hostnameStep struct{ name string }

func (hostnameStep) stage() stage     { return stageHostname }
func (s hostnameStep) detail() string { return s.name }
func (s hostnameStep) do(*child) error {
	return op("sethostname", s.name, unix.Sethostname([]byte(s.name)))
}

// domainnameStep sets the NIS domain name.
type domainnameStep struct{ name string }

func (domainnameStep) stage() stage     { return stageDomainname }
func (s domainnameStep) detail() string { return s.name }
func (s domainnameStep) do(*child) error {
	return op("setdomainname", s.name, unix.Setdomainname([]byte(s.name)))
}

func (c *child) namespace(n *container.Namespace) error {
	if n.How == container.NSUnshare {
		return op("unshare", n.Kind, unix.Unshare(unix.CLONE_NEWCGROUP))
	}
	// Only a thread that shares its root and working directory with no other thread can join a mount namespace,
	// setns(2).
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return op("unshare", "CLONE_FS", err)
	}
	return op("setns", n.Kind, unix.Setns(c.fds[n.FD-1], unix.CLONE_NEWNS))
}

// loopbackStep brings lo up.
type loopbackStep struct{}

func (loopbackStep) stage() stage    { return stageLoopback }
func (loopbackStep) detail() string  { return "" }
func (loopbackStep) do(*child) error { return sys.LoopbackUp() }

// sysctlStep writes one kernel parameter.
type sysctlStep struct{ key, value string }

func (sysctlStep) stage() stage      { return stageSysctl }
func (s sysctlStep) detail() string  { return s.key + " " + s.value }
func (s sysctlStep) do(*child) error { return writeSysctl(s.key, s.value) }

// writeSysctl writes a kernel parameter through a procfs of our own that is not mounted anywhere, so that a mount
// over /proc in the container cannot redirect the write (CVE-2025-52881).
func writeSysctl(key, value string) error {
	proc, err := sys.NewFS("proc", "", nil, nil, 0)
	if err != nil {
		return err
	}
	defer sys.Close(proc)
	fd, err := sys.Beneath(proc, "sys/"+sysctlPath(key), unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return op("write", key, err)
}

// sysctlPath returns the file of the parameter below /proc/sys. Dots separate the components, and a slash in the
// key is a dot in a name (net.ipv4.conf.eth0/1.forwarding), sysctl(8).
func sysctlPath(key string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}
