package oci

import "encoding/json"

// Spec is the part of config.json that matters on Linux. Decoding drops the sections for other platforms and
// everything that the specification does not know. Properties of type json.RawMessage are decoded by the code that
// carries them out.
type Spec struct {
	Version     string            `json:"ociVersion"`
	Process     *Process          `json:"process,omitempty"`
	Root        *Root             `json:"root,omitempty"`
	Hostname    string            `json:"hostname,omitempty"`
	Domainname  string            `json:"domainname,omitempty"`
	Mounts      []Mount           `json:"mounts,omitempty"`
	Hooks       *Hooks            `json:"hooks,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Linux       *Linux            `json:"linux,omitempty"`

	// ProcessText is the original text of Process, without white space; nil if Decode did not keep it.
	ProcessText json.RawMessage `json:"-"`
}

// Process is process in config.md.
type Process struct {
	Terminal        bool          `json:"terminal,omitempty"`
	ConsoleSize     *ConsoleSize  `json:"consoleSize,omitempty"`
	User            User          `json:"user"`
	Args            []string      `json:"args,omitempty"`
	Env             []string      `json:"env,omitempty"`
	Cwd             string        `json:"cwd"`
	Capabilities    *Capabilities `json:"capabilities,omitempty"`
	Rlimits         []Rlimit      `json:"rlimits,omitempty"`
	NoNewPrivileges bool          `json:"noNewPrivileges,omitempty"`
	OOMScoreAdj     *int          `json:"oomScoreAdj,omitempty"`
	ApparmorProfile string        `json:"apparmorProfile,omitempty"`
	SelinuxLabel    string        `json:"selinuxLabel,omitempty"`
	Scheduler       *Scheduler    `json:"scheduler,omitempty"`
	IOPriority      *IOPriority   `json:"ioPriority,omitempty"`
	ExecCPUAffinity *CPUAffinity  `json:"execCPUAffinity,omitempty"`
}

// ConsoleSize is the size of a terminal in characters.
type ConsoleSize struct {
	Height uint64 `json:"height"`
	Width  uint64 `json:"width"`
}

// User is the user that the process runs as, in the container's ids. Umask is nil if it is absent.
type User struct {
	UID            uint32   `json:"uid"`
	GID            uint32   `json:"gid"`
	Umask          *uint32  `json:"umask,omitempty"`
	AdditionalGIDs []uint32 `json:"additionalGids,omitempty"`
}

// Capabilities are the five capability sets, with names such as CAP_KILL.
type Capabilities struct {
	Bounding    []string `json:"bounding,omitempty"`
	Effective   []string `json:"effective,omitempty"`
	Inheritable []string `json:"inheritable,omitempty"`
	Permitted   []string `json:"permitted,omitempty"`
	Ambient     []string `json:"ambient,omitempty"`
}

// Rlimit is one resource limit. Type is a name such as RLIMIT_NOFILE.
type Rlimit struct {
	Type string `json:"type"`
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

// Root is the root file system. A relative path starts at the bundle.
type Root struct {
	Path     string `json:"path"`
	Readonly bool   `json:"readonly,omitempty"`
}

// Mount is one mount. Mounts are made in the order of their list.
type Mount struct {
	Destination string          `json:"destination"`
	Type        string          `json:"type,omitempty"`
	Source      string          `json:"source,omitempty"`
	Options     []string        `json:"options,omitempty"`
	UIDMappings json.RawMessage `json:"uidMappings,omitempty"`
	GIDMappings json.RawMessage `json:"gidMappings,omitempty"`
}

// Hooks are the programs that run at the points of the life cycle that runtime.md defines.
type Hooks struct {
	Prestart        []Hook `json:"prestart,omitempty"`
	CreateRuntime   []Hook `json:"createRuntime,omitempty"`
	CreateContainer []Hook `json:"createContainer,omitempty"`
	StartContainer  []Hook `json:"startContainer,omitempty"`
	Poststart       []Hook `json:"poststart,omitempty"`
	Poststop        []Hook `json:"poststop,omitempty"`
}

// Hook is one program. Timeout is in seconds.
type Hook struct {
	Path    string   `json:"path"`
	Args    []string `json:"args,omitempty"`
	Env     []string `json:"env,omitempty"`
	Timeout *int64   `json:"timeout,omitempty"`
}
