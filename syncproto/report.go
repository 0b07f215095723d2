package syncproto

// Report is the body of ERROR: an error of one side in a form that the other can judge, print and match with errors.Is,
// whatever languages the two are written in. Package remote converts Go errors to reports and back.
type Report struct {
	Code     Code         `sync:"code"`
	Role     string       `sync:"role"`               // "parent" or "child"
	PID      int          `sync:"pid,omitempty"`      // the reporter's pid in its own pid namespace
	State    string       `sync:"state,omitempty"`    // of the reporter's machine
	Phase    string       `sync:"phase,omitempty"`    // of the profile
	Request  string       `sync:"request,omitempty"`  // the request that waited for its reply
	Nodes    []ReportNode `sync:"nodes"`              // the tree of causes, parents before children; the first is the root
	Dropped  int          `sync:"dropped,omitempty"`  // number of nodes left out because they did not fit
	Redacted bool         `sync:"redacted,omitempty"` // paths or texts were removed on purpose
}

// ReportNode is one error of the tree.
type ReportNode struct {
	// number of the node that wraps this one, counting from one; zero for the root
	Parent int `sync:"parent,omitempty"`
	// NodeText and so on; readers treat an unknown type as NodeText
	Type  string `sync:"type"`
	From  string `sync:"from,omitempty"`  // NodeRemote: the role that reported it, "parent" or "child"
	Text  string `sync:"text,omitempty"`  // the node's own text, without the text of the nodes below it
	Whole bool   `sync:"whole,omitempty"` // Text includes the text of the nodes below
	Stage string `sync:"stage,omitempty"` // NodeStep: the step of the set-up, such as "mount"
	Op    string `sync:"op,omitempty"`    // the operation, such as "open" or "mount_setattr"
	Path  string `sync:"path,omitempty"`  // the object of the operation
	// NodeErrno: its name, such as "ENOENT": numbers differ between architectures, names do not
	Errno     string `sync:"errno,omitempty"`
	Sentinel  string `sync:"sentinel,omitempty"`  // NodeSentinel: a name that both sides have registered
	Truncated bool   `sync:"truncated,omitempty"` // Text or Path was cut, or a node below was left out
}

// Types of a ReportNode.
const (
	NodeText     = "text"     // text only
	NodeErrno    = "errno"    // an error of the kernel
	NodePath     = "path"     // Op on Path, as fs.PathError
	NodeSyscall  = "syscall"  // Op alone, as os.SyscallError
	NodeExec     = "exec"     // a program that was not found, as exec.Error; Path is its name
	NodeStep     = "step"     // Stage, Op and Path of a set-up
	NodeSentinel = "sentinel" // a registered error
	NodeJoin     = "join"     // several errors, as errors.Join
	NodeRemote   = "remote"   // an error that the reporter itself had received
)
