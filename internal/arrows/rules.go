// Package arrows holds the rules about which package may import which, and the test that enforces them.
//
// The rules are the architecture in a form that a machine can check: the protocol is pure, the parent's side and the
// child's side share nothing but the protocol, cgroups stand alone, and no library knows the OCI runtime that is built
// on it. They are checked over the whole import graph, not over direct imports only.
package arrows

// Module is the import path of the module. The rules' relative names start below it.
const Module = "github.com/handfast/handfast"

// A Rule says which packages the given packages must not depend on, at any distance, and why.
type Rule struct {
	From   []string // below Module; "/..." at the end adds all packages below
	Not    []string // import paths, or relative to Module when they begin with "./"; "/..." as above
	Reason string   // completes the sentence "must not, because"
}

// Rules returns the imports that the architecture forbids.
func Rules() []Rule {
	return []Rule{
		{
			From:   []string{"./syncproto", "./syncproto/session", "./syncproto/container"},
			Not:    []string{"os/...", "net/...", "syscall", "time", "golang.org/x/sys/..."},
			Reason: "the protocol is data and decisions: whatever does input, output or time belongs to syncproto/transport",
		},
		{
			From:   []string{"./syncproto"},
			Not:    []string{"./syncproto/codec/...", "./syncproto/transport/...", "./syncproto/container/..."},
			Reason: "the protocol knows neither the encoding nor the socket nor the messages of one use of it",
		},
		{
			From:   []string{"./syncproto/session"},
			Not:    []string{"./syncproto/transport/...", "./syncproto/container/..."},
			Reason: "a Session takes events as values, and knows neither the socket nor the messages of one use of it",
		},
		{
			From:   []string{"./fuzz/model"},
			Not:    []string{"./syncproto/transport/...", "./syncproto/container/...", "net/...", "golang.org/x/sys/..."},
			Reason: "the model check walks Sessions as values; what moves their frames is played by the walk",
		},
		{
			From:   []string{"./syncproto/codec/..."},
			Not:    []string{"./syncproto/transport/...", "net/...", "golang.org/x/sys/..."},
			Reason: "a codec turns bytes into values and must not reach for a descriptor",
		},
		{
			From:   []string{"./spawn/..."},
			Not:    []string{"./nsinit/..."},
			Reason: "parent and child share only the protocol, as the two processes share only the socket",
		},
		{
			From:   []string{"./nsinit/..."},
			Not:    []string{"./spawn/..."},
			Reason: "parent and child share only the protocol, as the two processes share only the socket",
		},
		{
			From:   []string{"./cgroupfs/..."},
			Not:    []string{"./syncproto/...", "./spawn/...", "./nsinit/...", "./internal/oci/..."},
			Reason: "control groups stand alone and can be used without the rest",
		},
		{
			From:   []string{"./internal/cgroupdriver"},
			Not:    []string{"./syncproto/...", "./spawn/...", "./nsinit/...", "./internal/oci/..."},
			Reason: "a driver is told what group is wanted, and knows neither config.json nor the child that will be in it",
		},
		{
			From:   []string{"./syncproto/...", "./spawn/...", "./nsinit/..."},
			Not:    []string{"./internal/oci/...", "./cmd/..."},
			Reason: "the libraries know no OCI: the conversion from config.json happens above them",
		},
		{
			From: []string{"./internal/seccomp"},
			Not: []string{"net/...", "golang.org/x/sys/...", "./syncproto/...", "./spawn/...", "./nsinit/...",
				"./internal/oci/..."},
			Reason: "the compiler of seccomp profiles is pure: its callers read the profile and load the program",
		},
		{
			From:   []string{"./..."},
			Not:    []string{"github.com/fxamacker/cbor/v2/...", "github.com/vmihailenco/msgpack/v5/..."},
			Reason: "only tests use these: a third codec, and one that the built-in codecs are compared with",
		},
		{
			From: []string{"./cmd/handfast"},
			Not: []string{"net", "net/http/...", "regexp", "text/template", "html/template", "os/user", "testing",
				"./internal/testenv", "./internal/demo/..."},
			Reason: "each costs start-up time or size in a program that starts twice for every container",
		},
	}
}

// Product lists the packages that users import or run, as patterns.
func Product() []string {
	return []string{"./cmd/...", "./spawn/...", "./nsinit/...", "./cgroupfs/...", "./syncproto/..."}
}

// OnlyDependencies lists the modules that the product itself may be built from. Tests and tools may use others.
func OnlyDependencies() []string {
	return []string{"golang.org/x/sys"}
}

// ByPath lists the functions of package os that open or change a file by its path. In nsinit they are forbidden.
func ByPath() []string {
	return []string{
		"Chmod", "Chown", "Chtimes", "Create", "CreateTemp", "Lchown", "Link", "Mkdir", "MkdirAll", "MkdirTemp", "Open",
		"OpenFile", "ReadDir", "ReadFile", "Remove", "RemoveAll", "Rename", "Symlink", "Truncate", "WriteFile",
	}
}

// ByPathReason is the reason in the words of the failure message.
const ByPathReason = "nsinit handles paths that the container's image controls, and these functions follow its " +
	"symbolic links out of the root filesystem (CVE-2024-45310, CVE-2025-31133, CVE-2025-52565): " +
	"open the path once with openat2 from the root descriptor, then use the descriptor"
