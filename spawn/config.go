package spawn

import (
	"context"
	"os"
	"time"

	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/transport"
)

// Config says how one child is made and what it is told. It is plain data but for Handler and Files, and it knows
// nothing of OCI.
type Config struct {
	// Container is what the child shall make of itself.
	Container Container

	// Target, where not nil, makes the child one more process of what runs already: it joins the target's namespaces
	// and speaks the profile "setns". Namespaces, mappings, offsets, Gate, and of Container all but ID and Process
	// are empty then.
	Target *Target
	// Namespaces are those the child shall not share with the parent; a kind may stand once.
	Namespaces []Namespace

	// UIDMappings and GIDMappings are those of a new user namespace, user_namespaces(7); empty without one.
	UIDMappings []IDMap
	GIDMappings []IDMap

	// TimeOffsets are those of a new time namespace, time_namespaces(7), by clock: "monotonic" and "boottime".
	TimeOffsets map[string]TimeOffset

	// NetDevices are network devices of the caller's that go into the child's network namespace, which must be another,
	// before the child is told anything. They keep their permanent addresses of global scope, and are up there. If the
	// start fails they come back; after it they are the namespace's: when that ends, physical ones go to the host's
	// first namespace, and virtual ones end (network_namespaces(7)).
	NetDevices []NetDevice

	// OOMScoreAdj is written to /proc/PID/oom_score_adj before the child learns its configuration; nil leaves it alone.
	OOMScoreAdj *int

	// Files are the child's standard input, output and error; nil entries are /dev/null. Start borrows them.
	Files [3]*os.File

	// HookFiles take what the hooks of Container write, standard output and error; nil entries: nobody does. Start borrows
	// them.
	HookFiles [2]*os.File

	// PreserveFDs is how many of the caller's own descriptors, from 3 on, the program shall have under the same numbers.
	// Start borrows them.
	PreserveFDs int

	// Cgroup, where not nil, is the group that the child begins its life in.
	Cgroup Cgroup

	// Affinity are the processors, by number, of the thread that makes the child, from before it enters the group's v1
	// hierarchies: that much of the child's making is bound to them. Empty: as the caller. On which processors the
	// program runs is Container.Process.Processors.
	Affinity []uint32

	// Gate makes the child stop before execve(2) until OpenGate lets it go on. It is an absolute path for the gate's
	// socket; empty: no gate.
	Gate string

	// Handler answers what the child asks; nil refuses consoles and has nothing to do for the rest.
	Handler Handler

	// Listener takes the listener of Container.Process.Seccomp, where that has one; nil refuses it. Behind a gate it is
	// Gate's.
	Listener Listener

	// Deadlines bound the phases; zero fields take the defaults.
	Deadlines Deadlines

	// Codec encodes the configuration and what is said about it; nil is codec.MessagePack(). The child must have it
	// too: those of package codec it has, any other its program gives to nsinit.Main.
	Codec codec.Codec

	// Init is the command line of the program that becomes the child, a child of the profile "init" in any language: an
	// absolute path and its arguments. Empty is this program itself, executed anew with the argument "init", which must
	// call nsinit.Main. The path is opened before the clone, in the caller's mount namespace.
	Init []string

	// Trace, where not nil, is told of every frame that passes and of the end, in order, one call at a time
	// (transport.Options); transcript.Recorder writes it down.
	Trace func(transport.Event)
}

// Namespace is one namespace of the child: a new one, or with Path the one to join.
type Namespace struct {
	Kind string // one of container.NS*
	Path string // a file under /proc/PID/ns or a bind mount of one; empty: a new namespace
}

// Target is a process whose namespaces a child joins.
type Target struct {
	// PIDFD holds the process, pidfd_open(2), so that its number cannot come to mean another one between look-up and join.
	// Start borrows it.
	PIDFD *os.File
	// Kinds are the namespaces to join, each one of container.NS*. The caller's own cannot be joined: a kind that both
	// share is left out.
	Kinds []string
	// Root is the target's root directory (O_PATH), for a target that has no mount namespace of its own: the child takes
	// it as its root. Nil where "mount" is in Kinds. Start borrows it.
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

// Cgroup is what spawn needs of a control group, so that the child begins its life in it; cgroupfs.Group fits.
type Cgroup interface {
	// FD returns a descriptor of the group's cgroup2 directory for CLONE_INTO_CGROUP (clone(2)), or -1 where there is
	// none. The group keeps it.
	FD() int
	// Inherited reports whether the group is also in hierarchies that a child can only inherit: those of v1.
	Inherited() bool
	// Enter moves the calling thread into those. The thread makes the child and ends; the caller never uses it for
	// anything else.
	Enter() error
}

// Handler is the embedder's part of the handshake. Every method runs on the goroutine that called Start, while frames
// go on being read beside it; an error ends the start: the child is told, then killed, and Start returns the error.
type Handler interface {
	// Started runs when the child exists and is in its cgroup, before it is sent anything.
	Started(ctx context.Context, pid int) error
	// Hooks runs when the child's namespaces exist and its root is not yet changed.
	Hooks(ctx context.Context, pid int) error
	// Console takes the master of the container's terminal; the handler owns master from here on.
	Console(ctx context.Context, master *os.File, path string) error
	// Ready runs when the child waits for "run": what must be stored before the container may live is stored here.
	Ready(ctx context.Context, pid int) error
}

// Deadlines bound what Start waits for; zero is the default, negative is no limit.
type Deadlines struct {
	Hello  time.Duration // clone to HELLO_ACK; default 5 s
	Config time.Duration // CONFIG to CONFIG_OK; default 10 s
	Idle   time.Duration // between two frames of the child; default 30 s
	Exec   time.Duration // EXEC to end of file; default 5 s
	Kill   time.Duration // grace between telling the child to stop and SIGKILL; default 1 s
}
