package oci

import (
	"encoding/json"

	"github.com/handfast/handfast/internal/jsonread"
)

// The tables list the members of config.json for package jsonread, one table for each type in this package.
// TestTables compares them with the tags of the types.

type reader = jsonread.Reader

var specFields = []jsonread.Field[Spec]{
	{Name: "ociVersion", Read: func(r *reader, v *Spec) { jsonread.String(r, &v.Version) }},
	{Name: "process", Read: func(r *reader, v *Spec) {
		text := jsonread.Text(r, func() { jsonread.Pointer(r, &v.Process, readProcess) })
		if v.Process != nil {
			v.ProcessText = text
		}
	}},
	{Name: "root", Read: func(r *reader, v *Spec) { jsonread.Pointer(r, &v.Root, readRoot) }},
	{Name: "hostname", Read: func(r *reader, v *Spec) { jsonread.String(r, &v.Hostname) }},
	{Name: "domainname", Read: func(r *reader, v *Spec) { jsonread.String(r, &v.Domainname) }},
	{Name: "mounts", Read: func(r *reader, v *Spec) { jsonread.List(r, &v.Mounts, readMount) }},
	{Name: "hooks", Read: func(r *reader, v *Spec) { jsonread.Pointer(r, &v.Hooks, readHooks) }},
	{Name: "annotations", Read: func(r *reader, v *Spec) { jsonread.Map(r, &v.Annotations, jsonread.String) }},
	{Name: "linux", Read: func(r *reader, v *Spec) { jsonread.Pointer(r, &v.Linux, readLinux) }},
}

func readSpec(r *reader, v *Spec) { jsonread.Object(r, v, specFields) }

var processFields = []jsonread.Field[Process]{
	{Name: "terminal", Read: func(r *reader, v *Process) { jsonread.Bool(r, &v.Terminal) }},
	{Name: "consoleSize", Read: func(r *reader, v *Process) { jsonread.Pointer(r, &v.ConsoleSize, readConsoleSize) }},
	{Name: "user", Read: func(r *reader, v *Process) { readUser(r, &v.User) }},
	{Name: "args", Read: func(r *reader, v *Process) { jsonread.Strings(r, &v.Args) }},
	{Name: "env", Read: func(r *reader, v *Process) { jsonread.Strings(r, &v.Env) }},
	{Name: "cwd", Read: func(r *reader, v *Process) { jsonread.String(r, &v.Cwd) }},
	{Name: "capabilities", Read: func(r *reader, v *Process) {
		jsonread.Pointer(r, &v.Capabilities, readCapabilities)
	}},
	{Name: "rlimits", Read: func(r *reader, v *Process) { jsonread.List(r, &v.Rlimits, readRlimit) }},
	{Name: "noNewPrivileges", Read: func(r *reader, v *Process) { jsonread.Bool(r, &v.NoNewPrivileges) }},
	{Name: "oomScoreAdj", Read: func(r *reader, v *Process) {
		jsonread.Pointer(r, &v.OOMScoreAdj, jsonread.Integer[int])
	}},
	{Name: "apparmorProfile", Read: func(r *reader, v *Process) { jsonread.String(r, &v.ApparmorProfile) }},
	{Name: "selinuxLabel", Read: func(r *reader, v *Process) { jsonread.String(r, &v.SelinuxLabel) }},
	{Name: "scheduler", Read: func(r *reader, v *Process) { jsonread.Pointer(r, &v.Scheduler, readScheduler) }},
	{Name: "ioPriority", Read: func(r *reader, v *Process) { jsonread.Pointer(r, &v.IOPriority, readIOPriority) }},
	{Name: "execCPUAffinity", Read: func(r *reader, v *Process) {
		jsonread.Pointer(r, &v.ExecCPUAffinity, readCPUAffinity)
	}},
}

func readProcess(r *reader, v *Process) { jsonread.Object(r, v, processFields) }

var consoleSizeFields = []jsonread.Field[ConsoleSize]{
	{Name: "height", Read: func(r *reader, v *ConsoleSize) { jsonread.Integer(r, &v.Height) }},
	{Name: "width", Read: func(r *reader, v *ConsoleSize) { jsonread.Integer(r, &v.Width) }},
}

func readConsoleSize(r *reader, v *ConsoleSize) { jsonread.Object(r, v, consoleSizeFields) }

var userFields = []jsonread.Field[User]{
	{Name: "uid", Read: func(r *reader, v *User) { jsonread.Integer(r, &v.UID) }},
	{Name: "gid", Read: func(r *reader, v *User) { jsonread.Integer(r, &v.GID) }},
	{Name: "umask", Read: func(r *reader, v *User) { jsonread.Pointer(r, &v.Umask, jsonread.Integer[uint32]) }},
	{Name: "additionalGids", Read: func(r *reader, v *User) {
		jsonread.List(r, &v.AdditionalGIDs, jsonread.Integer[uint32])
	}},
}

func readUser(r *reader, v *User) { jsonread.Object(r, v, userFields) }

var capabilitiesFields = []jsonread.Field[Capabilities]{
	{Name: "bounding", Read: func(r *reader, v *Capabilities) { jsonread.Strings(r, &v.Bounding) }},
	{Name: "effective", Read: func(r *reader, v *Capabilities) { jsonread.Strings(r, &v.Effective) }},
	{Name: "inheritable", Read: func(r *reader, v *Capabilities) { jsonread.Strings(r, &v.Inheritable) }},
	{Name: "permitted", Read: func(r *reader, v *Capabilities) { jsonread.Strings(r, &v.Permitted) }},
	{Name: "ambient", Read: func(r *reader, v *Capabilities) { jsonread.Strings(r, &v.Ambient) }},
}

func readCapabilities(r *reader, v *Capabilities) { jsonread.Object(r, v, capabilitiesFields) }

var rlimitFields = []jsonread.Field[Rlimit]{
	{Name: "type", Read: func(r *reader, v *Rlimit) { jsonread.String(r, &v.Type) }},
	{Name: "hard", Read: func(r *reader, v *Rlimit) { jsonread.Integer(r, &v.Hard) }},
	{Name: "soft", Read: func(r *reader, v *Rlimit) { jsonread.Integer(r, &v.Soft) }},
}

func readRlimit(r *reader, v *Rlimit) { jsonread.Object(r, v, rlimitFields) }

var rootFields = []jsonread.Field[Root]{
	{Name: "path", Read: func(r *reader, v *Root) { jsonread.String(r, &v.Path) }},
	{Name: "readonly", Read: func(r *reader, v *Root) { jsonread.Bool(r, &v.Readonly) }},
}

func readRoot(r *reader, v *Root) { jsonread.Object(r, v, rootFields) }

var mountFields = []jsonread.Field[Mount]{
	{Name: "destination", Read: func(r *reader, v *Mount) { jsonread.String(r, &v.Destination) }},
	{Name: "type", Read: func(r *reader, v *Mount) { jsonread.String(r, &v.Type) }},
	{Name: "source", Read: func(r *reader, v *Mount) { jsonread.String(r, &v.Source) }},
	{Name: "options", Read: func(r *reader, v *Mount) { jsonread.Strings(r, &v.Options) }},
	{Name: "uidMappings", Read: func(r *reader, v *Mount) { jsonread.Raw(r, &v.UIDMappings) }},
	{Name: "gidMappings", Read: func(r *reader, v *Mount) { jsonread.Raw(r, &v.GIDMappings) }},
}

func readMount(r *reader, v *Mount) { jsonread.Object(r, v, mountFields) }

var hooksFields = []jsonread.Field[Hooks]{
	{Name: "prestart", Read: func(r *reader, v *Hooks) { jsonread.List(r, &v.Prestart, readHook) }},
	{Name: "createRuntime", Read: func(r *reader, v *Hooks) { jsonread.List(r, &v.CreateRuntime, readHook) }},
	{Name: "createContainer", Read: func(r *reader, v *Hooks) { jsonread.List(r, &v.CreateContainer, readHook) }},
	{Name: "startContainer", Read: func(r *reader, v *Hooks) { jsonread.List(r, &v.StartContainer, readHook) }},
	{Name: "poststart", Read: func(r *reader, v *Hooks) { jsonread.List(r, &v.Poststart, readHook) }},
	{Name: "poststop", Read: func(r *reader, v *Hooks) { jsonread.List(r, &v.Poststop, readHook) }},
}

func readHooks(r *reader, v *Hooks) { jsonread.Object(r, v, hooksFields) }

var hookFields = []jsonread.Field[Hook]{
	{Name: "path", Read: func(r *reader, v *Hook) { jsonread.String(r, &v.Path) }},
	{Name: "args", Read: func(r *reader, v *Hook) { jsonread.Strings(r, &v.Args) }},
	{Name: "env", Read: func(r *reader, v *Hook) { jsonread.Strings(r, &v.Env) }},
	{Name: "timeout", Read: func(r *reader, v *Hook) { jsonread.Pointer(r, &v.Timeout, jsonread.Integer[int64]) }},
}

func readHook(r *reader, v *Hook) { jsonread.Object(r, v, hookFields) }

var schedulerFields = []jsonread.Field[Scheduler]{
	{Name: "policy", Read: func(r *reader, v *Scheduler) { jsonread.String(r, &v.Policy) }},
	{Name: "nice", Read: func(r *reader, v *Scheduler) { jsonread.Integer(r, &v.Nice) }},
	{Name: "priority", Read: func(r *reader, v *Scheduler) { jsonread.Integer(r, &v.Priority) }},
	{Name: "flags", Read: func(r *reader, v *Scheduler) { jsonread.Strings(r, &v.Flags) }},
	{Name: "runtime", Read: func(r *reader, v *Scheduler) { jsonread.Integer(r, &v.Runtime) }},
	{Name: "deadline", Read: func(r *reader, v *Scheduler) { jsonread.Integer(r, &v.Deadline) }},
	{Name: "period", Read: func(r *reader, v *Scheduler) { jsonread.Integer(r, &v.Period) }},
}

func readScheduler(r *reader, v *Scheduler) { jsonread.Object(r, v, schedulerFields) }

var ioPriorityFields = []jsonread.Field[IOPriority]{
	{Name: "class", Read: func(r *reader, v *IOPriority) { jsonread.String(r, &v.Class) }},
	{Name: "priority", Read: func(r *reader, v *IOPriority) { jsonread.Integer(r, &v.Priority) }},
}

func readIOPriority(r *reader, v *IOPriority) { jsonread.Object(r, v, ioPriorityFields) }

var cpuAffinityFields = []jsonread.Field[CPUAffinity]{
	{Name: "initial", Read: func(r *reader, v *CPUAffinity) { jsonread.String(r, &v.Initial) }},
	{Name: "final", Read: func(r *reader, v *CPUAffinity) { jsonread.String(r, &v.Final) }},
}

func readCPUAffinity(r *reader, v *CPUAffinity) { jsonread.Object(r, v, cpuAffinityFields) }

var personalityFields = []jsonread.Field[Personality]{
	{Name: "domain", Read: func(r *reader, v *Personality) { jsonread.String(r, &v.Domain) }},
	{Name: "flags", Read: func(r *reader, v *Personality) { jsonread.Strings(r, &v.Flags) }},
}

func readPersonality(r *reader, v *Personality) { jsonread.Object(r, v, personalityFields) }

var memoryPolicyFields = []jsonread.Field[MemoryPolicy]{
	{Name: "mode", Read: func(r *reader, v *MemoryPolicy) { jsonread.String(r, &v.Mode) }},
	{Name: "nodes", Read: func(r *reader, v *MemoryPolicy) { jsonread.String(r, &v.Nodes) }},
	{Name: "flags", Read: func(r *reader, v *MemoryPolicy) { jsonread.Strings(r, &v.Flags) }},
}

func readMemoryPolicy(r *reader, v *MemoryPolicy) { jsonread.Object(r, v, memoryPolicyFields) }

// StoredProcess reads a process from JSON that came from a configuration and has been checked before.
func StoredProcess(data []byte) (*Process, error) {
	p := new(Process)
	if jsonread.Decode(data, p, readProcess) {
		return p, nil
	}
	p = new(Process)
	return p, json.Unmarshal(data, p)
}
