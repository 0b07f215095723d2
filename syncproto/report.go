package syncproto

// Report is the body of ERROR: an error of one side in a form that the other can judge, print and search with
// errors.Is, whatever language each is written in. Package remote makes one of a Go error and a Go error of one.
type Report struct {
	Code     Code         `sync:"code"`
	Role     string       `sync:"role"`               // "parent" or "child"
	PID      int          `sync:"pid,omitempty"`      // the reporter's, as it sees it
	State    string       `sync:"state,omitempty"`    // of the reporter's machine
	Phase    string       `sync:"phase,omitempty"`    // of the profile
	Request  string       `sync:"request,omitempty"`  // the request that was unanswered
	Nodes    []ReportNode `sync:"nodes"`              // the cause tree, each node after its parent; the first is the root
	Dropped  int          `sync:"dropped,omitempty"`  // nodes left out because they did not fit
	Redacted bool         `sync:"redacted,omitempty"` // paths or texts were taken out on purpose
}

// ReportNode is one error of the tree.
type ReportNode struct {
	// number of the node that wraps this one, counted from one; zero for the root
	Parent int `sync:"parent,omitempty"`
	// NodeText and so on; a reader treats a type that it does not know as NodeText
	Type  string `sync:"type"`
	From  string `sync:"from,omitempty"`  // NodeRemote: whose report it was, "parent" or "child"
	Text  string `sync:"text,omitempty"`  // the node's own words, without those of the nodes below it
	Whole bool   `sync:"whole,omitempty"` // Text holds the words of the nodes below as well
	Stage string `sync:"stage,omitempty"` // NodeStep: the step of the set-up, such as "mount"
	Op    string `sync:"op,omitempty"`    // the operation, such as "open" or "mount_setattr"
	Path  string `sync:"path,omitempty"`  // what it was done to
	// NodeErrno: its name, such as "ENOENT": numbers differ between architectures, names do not
	Errno     string `sync:"errno,omitempty"`
	Sentinel  string `sync:"sentinel,omitempty"`  // NodeSentinel: a name that both sides have registered
	Truncated bool   `sync:"truncated,omitempty"` // Text or Path was cut, or a node below was left out
}

// Types of a ReportNode.
const (
	NodeText     = "text"     // nothing but words
	NodeErrno    = "errno"    // an error of the kernel
	NodePath     = "path"     // Op on Path, as fs.PathError
	NodeSyscall  = "syscall"  // Op alone, as os.SyscallError
	NodeExec     = "exec"     // a program that cannot be found, as exec.Error; its name is Path
	NodeStep     = "step"     // Stage, Op and Path of a set-up
	NodeSentinel = "sentinel" // a registered error
	NodeJoin     = "join"     // several errors, as errors.Join
	NodeRemote   = "remote"   // an error that the reporter had itself received
)
