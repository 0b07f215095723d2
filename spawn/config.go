package spawn

import (
	"context"
	"os"
	"time"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// Config says how to make a child and what to configure in it. It is plain data except for Handler and Files, and knows
// nothing of OCI.
type Config struct {
	// Container is what the child sets up.
	Container Container

	// Target, if not nil, makes the child join a running process: it enters the target's namespaces and speaks the profile
	// "setns". Namespaces, mappings, offsets and Gate must be empty then, and so must all of Container except ID and
	// Process.
	Target *Target
	// Namespaces are those that the child does not share with the parent, at most one of each kind.
	Namespaces []Namespace

	// UIDMappings and GIDMappings are the id mappings of a new user namespace, user_namespaces(7); empty without one.
	UIDMappings []IDMap
	GIDMappings []IDMap

	// TimeOffsets are the offsets of a new time namespace, time_namespaces(7), by clock: "monotonic" and "boottime".
	TimeOffsets map[string]TimeOffset

	// NetDevices are network devices of the caller's namespace that move into the child's, which must be another one,
	// before the child gets its configuration. They keep their permanent addresses of global scope, and are up afterwards.
	// If the start fails they move back. Otherwise they belong to the namespace: when that ends, the kernel moves physical
	// ones to the host's initial namespace and destroys virtual ones (network_namespaces(7)).
	NetDevices []NetDevice

	// OOMScoreAdj is written to /proc/PID/oom_score_adj before the child gets its configuration; nil leaves it as it is.
	OOMScoreAdj *int

	// Files are the child's standard input, output and error; nil entries are /dev/null. Start borrows them.
	Files [3]*os.File

	// HookFiles are the standard output and error of the hooks in Container; the output for a nil entry is dropped. Start
	// borrows them.
	HookFiles [2]*os.File

	// PreserveFDs is how many of the caller's own descriptors, from 3 on, the program gets under the same numbers. Start
	// borrows them.
	PreserveFDs int

	// Cgroup, if not nil, is the control group that the child starts in.
	Cgroup Cgroup

	// Affinity lists the processors, by number, to which the thread that makes the child is bound, from before it enters
	// the group's v1 hierarchies; so is the child at first. Empty: as the caller. The program itself runs on
	// Container.Process.Processors.
	Affinity []uint32

	// Gate makes the child stop before execve(2) until OpenGate lets it continue. It is an absolute path for the gate's
	// socket; empty: no gate.
	Gate string

	// Handler handles the child's requests; nil refuses consoles and does nothing for the others.
	Handler Handler

	// Listener receives the listener of Container.Process.Seccomp, if that has one; nil refuses it. With a gate,
	// Gate.Listener receives it instead.
	Listener Listener

	// Deadlines limit how long Start waits; zero fields take the defaults.
	Deadlines Deadlines

	// Codec encodes the messages of the handshake; nil is codec.MessagePack(). The child must have it too: it has those of
	// package codec, and its program passes any other to nsinit.Main.
	Codec codec.Codec

	// Compile, if not nil, makes a program for a small child of what a whole child would be sent: nsinit.Compile. A whole
	// child is made where Compile says that the configuration needs one, and always with Init, Codec and NetDevices, and
	// for a container's first process also if the caller is in a user namespace and the container gets none of its own. If
	// it is nil, the child is a whole one.
	Compile Compiler

	// Init is the command line of the program that runs as the child, which speaks the profile "init" and may be written
	// in any language: an absolute path and arguments. If it is empty, this program executes itself with the argument
	// "init", and must call nsinit.Main. The path is opened before the clone, in the caller's mount namespace.
	Init []string

	// Trace, if not nil, is called for every frame and for the end, in order, one call at a time (transport.Options);
	// transcript.Recorder records it.
	Trace func(transport.Event)
}

// Compiler makes the program of a small child whose conversation has the profile of this name. It borrows its argument.
type Compiler func(profile string, told *container.Config) (*smallchild.Program, error)

// Namespace is a namespace of the child: a new one, or with Path one to join.
type Namespace struct {
	Kind string // one of container.NS*
	Path string // a file under /proc/PID/ns or a bind mount of one; empty: a new namespace
}

// Target is a process whose namespaces a child joins.
type Target struct {
	// PIDFD refers to the process, pidfd_open(2), so that its number cannot be reused between look-up and join. Start
	// borrows it.
	PIDFD *os.File
	// Kinds are the namespaces to join, each one of container.NS*. Leave out those that the target shares with the caller,
	// which cannot be joined.
	Kinds []string
	// Root is the target's root directory (O_PATH), for a target without a mount namespace of its own: the child changes
	// its root to it. Nil if "mount" is in Kinds. Start borrows it.
	Root *os.File
}

// IDMap is one line of uid_map or gid_map.
type IDMap struct {
	ContainerID, HostID, Size uint32
}

// TimeOffset is added to a clock inside a time namespace.
type TimeOffset struct {
	Secs  int64
	Nanos uint32
}

// Cgroup is what spawn needs of a control group for a child to start in it; cgroupfs.Group implements it.
type Cgroup interface {
	// FD returns a descriptor of the group's cgroup2 directory for CLONE_INTO_CGROUP (clone(2)), or -1 if there is none.
	// The group keeps it.
	FD() int
	// Inherited reports whether the group is also in v1 hierarchies, where a child can only inherit it.
	Inherited() bool
	// Enter moves the calling thread into those. The thread makes the child and ends; the caller never uses it for
	// anything else.
	Enter() error
}

// Handler is the caller's part of the handshake. Every method runs on the goroutine that called Start, while frames are
// still read in the background. An error ends the start: the child is told, then killed, and Start returns the error.
type Handler interface {
	// Started runs when the child exists and is in its cgroup, before anything is sent to it.
	Started(ctx context.Context, pid int) error
	// Hooks runs when the child's namespaces exist but its root has not changed yet.
	Hooks(ctx context.Context, pid int) error
	// Console receives the master of the container's terminal, which the handler owns from then on.
	Console(ctx context.Context, master *os.File, path string) error
	// Ready runs when the child is ready and waits for permission to continue. It stores what must be stored before the
	// program runs.
	Ready(ctx context.Context, pid int) error
}

// Deadlines limit how long Start waits; zero is the default, negative is no limit.
type Deadlines struct {
	Hello  time.Duration // clone to HELLO_ACK; default 5 s
	Config time.Duration // CONFIG to CONFIG_OK; default 10 s
	Idle   time.Duration // between two frames of the child; default 30 s
	Exec   time.Duration // EXEC to end of file; default 5 s
	Kill   time.Duration // grace between telling the child to stop and SIGKILL; default 1 s
}
