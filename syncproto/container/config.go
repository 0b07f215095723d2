package container

// Config is the body of CONFIG in the profile "init": everything the child needs to become the container's first
// process. It belongs to the protocol, not to OCI: paths are absolute and resolved, names are numbers. The user of
// package spawn decides most of it (spawn.Container); spawn itself fills in Namespaces and the fields from KeepFDs on.
//
// Fields named *FD hold the position of a descriptor among those sent with CONFIG, counting from one; zero means none.
// The child owns every descriptor that it received with CONFIG.
type Config struct {
	ID         string      `sync:"id"`                   // the container's name
	Hostname   string      `sync:"hostname,omitempty"`   // sethostname(2); empty: left as it is
	Domainname string      `sync:"domainname,omitempty"` // setdomainname(2); empty: left as it is
	Namespaces []Namespace `sync:"namespaces,omitempty"` // in the order in which they are made or entered
	Root       Root        `sync:"root"`                 // the root file system
	Mounts     []Mount     `sync:"mounts,omitempty"`     // in their order
	Devices    []Device    `sync:"devices,omitempty"`    // made after the mounts
	Masked     []string    `sync:"masked,omitempty"`     // paths inside the container that are made unreadable
	Readonly   []string    `sync:"readonly,omitempty"`   // paths inside the container that are made read-only
	Sysctl     []KeyValue  `sync:"sysctl,omitempty"`     // kernel parameters, written below /proc/sys
	Process    Process     `sync:"process"`              // the program
	Hooks      Hooks       `sync:"hooks"`                // hooks that concern the child
	// the OCI state as JSON, for the hooks that the child runs (status is filled in by the child)
	State string `sync:"state,omitempty"`

	MountLabel string `sync:"mountLabel,omitempty"` // SELinux label of the files in every new file system; empty: none

	// descriptors 3 to 2+KeepFDs reach the program; all others are closed
	KeepFDs         int  `sync:"keepFDs,omitempty"`
	GateFD          int  `sync:"gateFD,omitempty"`          // listening socket of the start gate; zero: execute at once
	Loopback        bool `sync:"loopback,omitempty"`        // bring lo up: the network namespace is new
	SetGroupsDenied bool `sync:"setGroupsDenied,omitempty"` // the new user namespace denies setgroups(2): the groups stay

	// StdinFD, StdoutFD and StderrFD replace the standard streams of a child that was made before they were known; zero:
	// the one that the child was made with stays.
	StdinFD  int `sync:"stdinFD,omitempty"`
	StdoutFD int `sync:"stdoutFD,omitempty"`
	StderrFD int `sync:"stderrFD,omitempty"`
}

// Streams returns StdinFD, StdoutFD and StderrFD, in the order of the descriptors that they replace.
func (c *Config) Streams() [3]int { return [3]int{c.StdinFD, c.StdoutFD, c.StderrFD} }

// Namespace kinds, in the words of runtime-spec config-linux.md and namespaces(7).
const (
	NSPid     = "pid"
	NSNetwork = "network"
	NSMount   = "mount"
	NSIPC     = "ipc"
	NSUTS     = "uts"
	NSUser    = "user"
	NSCgroup  = "cgroup"
	NSTime    = "time"
)

// Namespace is one namespace of the container as the child finds it.
type Namespace struct {
	Kind string `sync:"kind"`         // "pid", "network", "mount", "ipc", "uts", "user", "cgroup" or "time"
	How  string `sync:"how"`          // "created", "unshare" or "join", see the values below
	FD   int    `sync:"fd,omitempty"` // "join": the namespace to enter with setns(2)
}

// Values of Namespace.How.
const (
	NSCreated = "created" // clone(2) already made it, or the parent's thread had entered it before the clone
	// the child makes it with unshare(2): a cgroup namespace must be made after the move into the cgroup
	NSUnshare = "unshare"
	NSJoin    = "join" // the child enters it with setns(2)
)

// Root is the container's root file system.
type Root struct {
	Path     string `sync:"path"`               // absolute path in the parent's mount namespace
	Readonly bool   `sync:"readonly,omitempty"` // remounted read-only after every mount is made
	// MS_SLAVE, MS_SHARED and so on, each with MS_REC, for the host's mounts before any is bound; zero: MS_SLAVE|MS_REC
	Propagation uint64 `sync:"propagation,omitempty"`
	NoPivot     bool   `sync:"noPivot,omitempty"` // MS_MOVE and chroot(2) in place of pivot_root(2)
	// OnHost allows mounts without a mount namespace of the container's own. They are made in that of the parent, who
	// unmounts Path, and with it all below it, once the container has ended.
	OnHost bool `sync:"onHost,omitempty"`
}

// Mount is one mount, in order, below the root.
type Mount struct {
	Destination string `sync:"destination"`         // absolute inside the container
	Type        string `sync:"type,omitempty"`      // file system type; empty for a bind mount
	Source      string `sync:"source,omitempty"`    // bind: absolute host path; otherwise the name shown in mountinfo
	Bind        bool   `sync:"bind,omitempty"`      // a bind mount of Source
	Recursive   bool   `sync:"recursive,omitempty"` // with Bind: the whole tree (rbind)
	Set         uint64 `sync:"set,omitempty"`       // MOUNT_ATTR_* bits to set, mount_setattr(2)
	Clear       uint64 `sync:"clear,omitempty"`     // MOUNT_ATTR_* bits to clear
	RecSet      uint64 `sync:"recSet,omitempty"`    // the same for the whole tree (rro, rnosuid and so on)
	RecClear    uint64 `sync:"recClear,omitempty"`
	// MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, each with MS_REC; MS_SLAVE and MS_SHARED together: both, in this
	// order
	Propagation uint64 `sync:"propagation,omitempty"`
	// superblock flags by their fsconfig(2) names: ro, sync, dirsync, lazytime, iversion, mand, silent
	FSFlags []string `sync:"fsFlags,omitempty"`
	Data    []string `sync:"data,omitempty"`   // options of the file system itself, key or key=value
	CopyUp  bool     `sync:"copyUp,omitempty"` // tmpcopyup: the directory's content is copied into the tmpfs
	Cgroup  *Cgroup  `sync:"cgroup,omitempty"` // Type is cgroup: what to show
	// change the attributes, FSFlags and Data of what is mounted at Destination instead of mounting; FSFlags may also
	// clear flags (rw, async and so on)
	Remount bool `sync:"remount,omitempty"`

	IDs *MountIDs `sync:"ids,omitempty"` // maps the owners of files; the parent makes such a mount
	// a symbolic link with this text at Destination in place of a mount; nothing else is set
	Link string `sync:"link,omitempty"`
}

// Cgroup is what a mount of type cgroup shows: the whole hierarchy if the container has a cgroup namespace, otherwise
// only its own groups, bound in place.
type Cgroup struct {
	// 1 (v1 or hybrid: a tmpfs with one entry a hierarchy) or 2 (one cgroup2 tree)
	Version     int           `sync:"version"`
	Hierarchies []CgroupEntry `sync:"hierarchies,omitempty"`
}

// CgroupEntry is what a mount of type cgroup shows of one hierarchy: one of v1, or the only one of v2.
type CgroupEntry struct {
	// directory below the mount, such as "cpu,cpuacct" or "unified"; empty for v2
	Name string `sync:"name"`
	// data for mounting it in a new cgroup namespace, such as "cpu,cpuacct" or "none,name=systemd"
	Options string   `sync:"options"`
	Path    string   `sync:"path"`            // the container's own group as an absolute path on the host, for binding
	Links   []string `sync:"links,omitempty"` // symbolic links beside it that name it, such as "cpu"
	V2      bool     `sync:"v2,omitempty"`    // of type cgroup2
}

// Device is one device node below the root.
type Device struct {
	Path  string `sync:"path"` // absolute inside the container
	Type  string `sync:"type"` // "c", "b" or "p"
	Major uint32 `sync:"major,omitempty"`
	Minor uint32 `sync:"minor,omitempty"`
	Mode  uint32 `sync:"mode"` // permission bits
	UID   uint32 `sync:"uid,omitempty"`
	GID   uint32 `sync:"gid,omitempty"`
}

// KeyValue is one kernel parameter, its key with dots.
type KeyValue struct {
	Key   string `sync:"key"`
	Value string `sync:"value"`
}

// Process is the program that the child becomes.
type Process struct {
	Args []string `sync:"args"`
	Env  []string `sync:"env,omitempty"`
	Cwd  string   `sync:"cwd"`
	UID  uint32   `sync:"uid,omitempty"`
	GID  uint32   `sync:"gid,omitempty"`
	// the supplementary groups; empty: none, the parent's own are dropped
	AdditionalGIDs []uint32 `sync:"additionalGids,omitempty"`
	// keeps the supplementary groups of the parent, as must be where setgroups(2) is denied; not together with
	// AdditionalGIDs
	KeepGroups   bool         `sync:"keepGroups,omitempty"`
	Umask        *uint32      `sync:"umask,omitempty"` // 0 to 0777; nil: 0022, never the parent's own
	Capabilities Capabilities `sync:"capabilities"`
	NoNewPrivs   bool         `sync:"noNewPrivs,omitempty"`
	Rlimits      []Rlimit     `sync:"rlimits,omitempty"`
	Terminal     bool         `sync:"terminal,omitempty"`
	Rows         uint16       `sync:"rows,omitempty"` // size of the terminal; zero: the kernel's default
	Columns      uint16       `sync:"columns,omitempty"`
	// AppArmor profile that the execution changes to, apparmor(7); empty: none
	AppArmorProfile string `sync:"apparmorProfile,omitempty"`
	// SELinux label of the program, selinux(8); empty: none
	SELinuxLabel string `sync:"selinuxLabel,omitempty"`
	// name of the session keyring to join, which is made if it does not exist, keyctl(2); empty: the caller's stays
	Keyring string `sync:"keyring,omitempty"`

	Seccomp *Seccomp `sync:"seccomp,omitempty"` // filter of system calls; none: the program is not filtered

	Landlock *Landlock `sync:"landlock,omitempty"` // none: no restrictions beyond those of the caller
	// signal that the program gets when its parent ends, PR_SET_PDEATHSIG of prctl(2); zero: none
	ParentDeathSignal int `sync:"parentDeathSignal,omitempty"`

	Personality  *uint64       `sync:"personality,omitempty"`  // of the program, personality(2); none: the caller's stays
	MemoryPolicy *MemoryPolicy `sync:"memoryPolicy,omitempty"` // none: the caller's stays
	Scheduler    *Scheduler    `sync:"scheduler,omitempty"`    // none: the caller's stays
	// as ioprio_set(2) takes it, class<<13|level; zero: left as it is
	IOPriority uint32 `sync:"ioPriority,omitempty"`
	// processors that it may run on, sched_setaffinity(2); empty: all of its cpuset
	Processors []uint32 `sync:"processors,omitempty"`
}

// Capabilities are the five sets of capabilities(7) as bit masks, bit n for capability number n.
type Capabilities struct {
	Bounding    uint64 `sync:"bounding,omitempty"`
	Effective   uint64 `sync:"effective,omitempty"`
	Permitted   uint64 `sync:"permitted,omitempty"`
	Inheritable uint64 `sync:"inheritable,omitempty"`
	Ambient     uint64 `sync:"ambient,omitempty"`
}

// Rlimit is one resource limit, its number as in <asm-generic/resource.h>.
type Rlimit struct {
	Resource int    `sync:"resource"`
	Soft     uint64 `sync:"soft"`
	Hard     uint64 `sync:"hard"`
}

// Hooks are the hooks that concern the child. It runs CreateContainer and StartContainer itself. Runtime says that the
// parent has hooks too, so the child must make the request "hooks" once the namespaces exist and before it changes the
// root.
type Hooks struct {
	Runtime         bool   `sync:"runtime,omitempty"`
	CreateContainer []Hook `sync:"createContainer,omitempty"`
	StartContainer  []Hook `sync:"startContainer,omitempty"`

	// StdoutFD and StderrFD are the standard output and error of the hooks that the child runs. If they are zero, only the
	// error of a failed hook shows its output.
	StdoutFD int `sync:"stdoutFD,omitempty"`
	StderrFD int `sync:"stderrFD,omitempty"`
}

// Hook is one program to run with the state on its standard input.
type Hook struct {
	Path    string   `sync:"path"`
	Args    []string `sync:"args,omitempty"`    // args[0] included; empty: the path alone
	Env     []string `sync:"env,omitempty"`     // empty: the environment of the program; see noEnv
	NoEnv   bool     `sync:"noEnv,omitempty"`   // its environment is empty
	Timeout int64    `sync:"timeout,omitempty"` // seconds; zero: none
}
