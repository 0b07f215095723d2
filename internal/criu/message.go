package criu

import (
	"fmt"
	"strings"
)

// Type says what is requested, and what a response is about: criu_req_type in rpc.proto.
type Type int32

// The types that this package has a use for.
const (
	Dump         Type = 1
	Restore      Type = 2
	Notify       Type = 6
	FeatureCheck Type = 9
	Version      Type = 10
	// PreDump saves the memory alone, and lets the processes go on. It is SINGLE_PRE_DUMP in rpc.proto: after PRE_DUMP
	// CRIU waits for a dump.
	PreDump Type = 13
)

// String returns the name in errors.
func (t Type) String() string {
	switch t {
	case Dump:
		return "dump"
	case Restore:
		return "restore"
	case Notify:
		return "notify"
	case FeatureCheck:
		return "feature check"
	case Version:
		return "version"
	case PreDump:
		return "pre-dump"
	}
	return fmt.Sprintf("type %d", int32(t))
}

// CgroupMode says what CRIU does with control groups: criu_cg_mode in rpc.proto, --manage-cgroups of criu(8).
type CgroupMode int32

// The modes.
const (
	CgroupIgnore CgroupMode = 0 // saves and restores nothing about them
	CgroupSoft   CgroupMode = 3 // restores the properties of groups that it makes itself
	CgroupFull   CgroupMode = 4 // restores those of every group
	CgroupStrict CgroupMode = 5 // makes every group, and fails if one exists
)

// NetworkLock says how CRIU keeps packets from a process that is saved: criu_network_lock_method in rpc.proto.
type NetworkLock int32

// The methods.
const (
	LockIPTables NetworkLock = 1
	LockNFTables NetworkLock = 2
	LockSkip     NetworkLock = 3 // CRIU 4.0
)

// Request is a message to CRIU: criu_req in rpc.proto.
type Request struct {
	Type          Type
	Options       *Options // nil: none
	NotifySuccess bool     // in reply to a notification: go on
	KeepOpen      bool     // another request follows; only after Version and FeatureCheck
	Features      *Features
}

// Options are what CRIU is to do and how: criu_opts in rpc.proto, where each field is called as its comment or name
// here says. Descriptors are numbers in this process, except in InheritFDs.
type Options struct {
	ImagesDir      int32 // descriptor of the directory for the image files
	PID            int32 // dump: the root of the processes
	LeaveRunning   bool
	ExtUnixSk      bool // Unix sockets with a peer outside
	TCPEstablished bool
	EvasiveDevices bool // restore: take another path to a device if this one is gone
	ShellJob       bool
	FileLocks      bool
	LogLevel       int32  // 4: everything
	LogFile        string // name of a file in the work directory
	PageServer     *PageServer
	NotifyScripts  bool   // send notifications
	Root           string // path of the root file system; restore: it is a mount point
	ParentImage    string // relative to the images directory
	TrackMemory    bool
	AutoDedup      bool
	WorkDir        *int32 // descriptor; nil: the images directory
	LinkRemap      bool
	ExternalMounts []ExternalMount
	ManageCgroups  bool // with the mode "soft" unless CgroupMode says otherwise
	CgroupRoots    []CgroupRoot
	RestoreSibling bool // restore: the processes are children of this process, not of CRIU
	InheritFDs     []InheritFD
	CgroupMode     *CgroupMode
	External       []string // TYPE[ID]:KEY
	EmptyNS        uint32   // CLONE_NEW* of namespaces without content
	JoinNS         []JoinNS
	FreezeCgroup   string // path of the directory of a group: freeze with it
	TCPSkipInFly   bool   // leave out connections that are not established yet
	LazyPages      bool
	OrphanPTS      bool   // restore: send the master of a terminal that has none
	ConfigFile     string // file with options that override these
	TCPClose       bool   // restore: established connections are closed ones
	LSMProfile     string // TYPE:NAME
	LSMMount       string // label of mounts
	NetworkLock    NetworkLock
}

// PageServer is where the pages of the memory go or come from.
type PageServer struct {
	Address string
	Port    int32
}

// ExternalMount is a mount whose source is not among the files that are saved. When saving, Key is the mount point and
// Value the name that it gets; when restoring, Key is that name and Value the path of the source.
type ExternalMount struct{ Key, Value string }

// JoinNS is a namespace for the processes to join: its type in /proc/PID/ns, and the file.
type JoinNS struct{ Type, File string }

// InheritFD is a descriptor of CRIU's, by number, for what has this name in the image: "pipe:[INODE]", or the KEY of
// External.
type InheritFD struct {
	Key string
	FD  int32
}

// CgroupRoot is the group in which the root of the saved groups is restored; Controller is as in proc_pid_cgroup(5).
type CgroupRoot struct{ Controller, Path string }

// Features are abilities of CRIU on this kernel: criu_features in rpc.proto. In a request they are what to check.
type Features struct{ MemTrack, LazyPages bool }

// Response is a message from CRIU: criu_resp in rpc.proto.
type Response struct {
	Type         Type
	Success      bool
	Notification *Notification
	Errno        int32
	Features     *Features
	Message      string // the first error in CRIU's log
	Version      *VersionNumber
}

// Notification says that CRIU has come to a point at which it waits for the client.
type Notification struct {
	Script string // its name
	PID    int32  // "setup-namespaces" and "post-restore": the first process
}

// VersionNumber is the version of CRIU.
type VersionNumber struct{ Major, Minor, Sublevel int32 }

// String returns the version as people write it.
func (v VersionNumber) String() string {
	if v.Sublevel == 0 {
		return fmt.Sprintf("%d.%d", v.Major, v.Minor)
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Sublevel)
}

// Older reports whether v is older than major.minor.
func (v VersionNumber) Older(major, minor int32) bool {
	return v.Major < major || v.Major == major && v.Minor < minor
}

// Encode returns the message as it is sent.
func (r *Request) Encode() []byte { return requestTable().encode(nil, r) }

// DecodeRequest is the inverse of Encode; it is for tests.
func DecodeRequest(data []byte) (*Request, error) {
	r := new(Request)
	return r, requestTable().decode(data, r)
}

// Encode returns the message as CRIU sends it; it is for tests.
func (r *Response) Encode() []byte { return responseTable().encode(nil, r) }

// DecodeResponse reads a message of CRIU. The error wraps ErrMessage.
func DecodeResponse(data []byte) (*Response, error) {
	r := new(Response)
	return r, responseTable().decode(data, r)
}

// String returns the options, one line for each.
func (o *Options) String() string { return strings.Join(optionsTable().lines(o), "\n") + "\n" }

// The tables are made when they are used: as variables they would cost every start of the program.

func requestTable() table[Request] {
	return table[Request]{
		{1, "type", required(func(r *Request) *Type { return &r.Type })},
		{2, "opts", message(optionsTable(), func(r *Request) **Options { return &r.Options })},
		{3, "notify_success", flag(func(r *Request) *bool { return &r.NotifySuccess })},
		{4, "keep_open", flag(func(r *Request) *bool { return &r.KeepOpen })},
		{5, "features", message(featuresTable(), func(r *Request) **Features { return &r.Features })},
	}
}

func optionsTable() table[Options] {
	return table[Options]{
		{1, "images_dir_fd", required(func(o *Options) *int32 { return &o.ImagesDir })},
		{2, "pid", number(func(o *Options) *int32 { return &o.PID })},
		{3, "leave_running", flag(func(o *Options) *bool { return &o.LeaveRunning })},
		{4, "ext_unix_sk", flag(func(o *Options) *bool { return &o.ExtUnixSk })},
		{5, "tcp_established", flag(func(o *Options) *bool { return &o.TCPEstablished })},
		{6, "evasive_devices", flag(func(o *Options) *bool { return &o.EvasiveDevices })},
		{7, "shell_job", flag(func(o *Options) *bool { return &o.ShellJob })},
		{8, "file_locks", flag(func(o *Options) *bool { return &o.FileLocks })},
		{9, "log_level", number(func(o *Options) *int32 { return &o.LogLevel })},
		{10, "log_file", text(func(o *Options) *string { return &o.LogFile })},
		{11, "ps", message(pageServerTable(), func(o *Options) **PageServer { return &o.PageServer })},
		{12, "notify_scripts", flag(func(o *Options) *bool { return &o.NotifyScripts })},
		{13, "root", text(func(o *Options) *string { return &o.Root })},
		{14, "parent_img", text(func(o *Options) *string { return &o.ParentImage })},
		{15, "track_mem", flag(func(o *Options) *bool { return &o.TrackMemory })},
		{16, "auto_dedup", flag(func(o *Options) *bool { return &o.AutoDedup })},
		{17, "work_dir_fd", optional(func(o *Options) **int32 { return &o.WorkDir })},
		{18, "link_remap", flag(func(o *Options) *bool { return &o.LinkRemap })},
		{23, "ext_mnt", messages(externalMountTable(), func(o *Options) *[]ExternalMount { return &o.ExternalMounts })},
		{24, "manage_cgroups", flag(func(o *Options) *bool { return &o.ManageCgroups })},
		{25, "cg_root", messages(cgroupRootTable(), func(o *Options) *[]CgroupRoot { return &o.CgroupRoots })},
		{26, "rst_sibling", flag(func(o *Options) *bool { return &o.RestoreSibling })},
		{27, "inherit_fd", messages(inheritTable(), func(o *Options) *[]InheritFD { return &o.InheritFDs })},
		{34, "manage_cgroups_mode", optional(func(o *Options) **CgroupMode { return &o.CgroupMode })},
		{37, "external", texts(func(o *Options) *[]string { return &o.External })},
		{38, "empty_ns", number(func(o *Options) *uint32 { return &o.EmptyNS })},
		{39, "join_ns", messages(joinTable(), func(o *Options) *[]JoinNS { return &o.JoinNS })},
		{44, "freeze_cgroup", text(func(o *Options) *string { return &o.FreezeCgroup })},
		{46, "tcp_skip_in_flight", flag(func(o *Options) *bool { return &o.TCPSkipInFly })},
		{48, "lazy_pages", flag(func(o *Options) *bool { return &o.LazyPages })},
		{50, "orphan_pts_master", flag(func(o *Options) *bool { return &o.OrphanPTS })},
		{51, "config_file", text(func(o *Options) *string { return &o.ConfigFile })},
		{52, "tcp_close", flag(func(o *Options) *bool { return &o.TCPClose })},
		{53, "lsm_profile", text(func(o *Options) *string { return &o.LSMProfile })},
		{63, "lsm_mount_context", text(func(o *Options) *string { return &o.LSMMount })},
		{64, "network_lock", number(func(o *Options) *NetworkLock { return &o.NetworkLock })},
	}
}

func pageServerTable() table[PageServer] {
	return table[PageServer]{
		{1, "address", text(func(p *PageServer) *string { return &p.Address })},
		{2, "port", number(func(p *PageServer) *int32 { return &p.Port })},
	}
}

func externalMountTable() table[ExternalMount] {
	return table[ExternalMount]{
		{1, "key", requiredText(func(m *ExternalMount) *string { return &m.Key })},
		{2, "val", requiredText(func(m *ExternalMount) *string { return &m.Value })},
	}
}

func cgroupRootTable() table[CgroupRoot] {
	return table[CgroupRoot]{
		{1, "ctrl", requiredText(func(c *CgroupRoot) *string { return &c.Controller })},
		{2, "path", requiredText(func(c *CgroupRoot) *string { return &c.Path })},
	}
}

func inheritTable() table[InheritFD] {
	return table[InheritFD]{
		{1, "key", requiredText(func(i *InheritFD) *string { return &i.Key })},
		{2, "fd", required(func(i *InheritFD) *int32 { return &i.FD })},
	}
}

func joinTable() table[JoinNS] {
	return table[JoinNS]{
		{1, "ns", requiredText(func(j *JoinNS) *string { return &j.Type })},
		{2, "ns_file", requiredText(func(j *JoinNS) *string { return &j.File })},
	}
}

func featuresTable() table[Features] {
	return table[Features]{
		{1, "mem_track", flag(func(f *Features) *bool { return &f.MemTrack })},
		{2, "lazy_pages", flag(func(f *Features) *bool { return &f.LazyPages })},
	}
}

func responseTable() table[Response] {
	return table[Response]{
		{1, "type", required(func(r *Response) *Type { return &r.Type })},
		{2, "success", flag(func(r *Response) *bool { return &r.Success })},
		{5, "notify", message(notificationTable(), func(r *Response) **Notification { return &r.Notification })},
		{7, "cr_errno", number(func(r *Response) *int32 { return &r.Errno })},
		{8, "features", message(featuresTable(), func(r *Response) **Features { return &r.Features })},
		{9, "cr_errmsg", text(func(r *Response) *string { return &r.Message })},
		{10, "version", message(versionTable(), func(r *Response) **VersionNumber { return &r.Version })},
	}
}

func notificationTable() table[Notification] {
	return table[Notification]{
		{1, "script", text(func(n *Notification) *string { return &n.Script })},
		{2, "pid", number(func(n *Notification) *int32 { return &n.PID })},
	}
}

func versionTable() table[VersionNumber] {
	return table[VersionNumber]{
		{1, "major_number", required(func(v *VersionNumber) *int32 { return &v.Major })},
		{2, "minor_number", required(func(v *VersionNumber) *int32 { return &v.Minor })},
		{4, "sublevel", number(func(v *VersionNumber) *int32 { return &v.Sublevel })},
	}
}
