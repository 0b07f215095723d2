package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/oci"
	"github.com/handfast/handfast/internal/testenv"
)

// invalid is a wrong value of one property.
type invalid struct {
	path  []string // of the property: names, and [0] for the first of a list
	value any
	words []string // beside the path: the value, and what is allowed
}

func (i invalid) String() string { return strings.ReplaceAll(strings.Join(i.path, "."), ".[", "[") }

// wrongKinds walks a type of the configuration and generates wrong values for every property in it, including those
// added later. Properties that are decoded later than the rest (json.RawMessage) are in wrongValues.
func wrongKinds(t reflect.Type, path []string) []invalid {
	at := func(name string) []string { return append(append([]string{}, path...), name) }
	switch t.Kind() {
	case reflect.Pointer:
		return wrongKinds(t.Elem(), path)
	case reflect.Struct:
		all := []invalid{{path, "nonsense", []string{`got string \"nonsense\"`, "want an object"}}}
		if len(path) == 0 {
			all = nil
		}
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			all = append(all, wrongKinds(t.Field(i).Type, at(name))...)
		}
		return all
	case reflect.Slice:
		if t == reflect.TypeFor[json.RawMessage]() {
			return nil
		}
		return append([]invalid{{path, 7, []string{"got number 7", "want a list of "}}}, wrongKinds(t.Elem(), at("[0]"))...)
	case reflect.Map:
		return append([]invalid{{path, []any{"nonsense"}, []string{"got array", "want an object"}}},
			wrongKinds(t.Elem(), at("some"))...)
	case reflect.String:
		return []invalid{{path, 7, []string{"got number 7", "want a string"}}, {path, "a\x00b", []string{"NUL"}}}
	case reflect.Bool:
		return []invalid{{path, "nonsense", []string{`got string \"nonsense\"`, "want true or false"}}}
	case reflect.Int, reflect.Int64:
		return []invalid{{path, "many", []string{`got string \"many\"`, "want a whole number"}},
			{path, 1.5, []string{"got 1.5", "want a whole number"}}}
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return []invalid{{path, "many", []string{`got string \"many\"`, "want a whole number"}},
			{path, -1, []string{"got -1", "want a whole number from 0"}}}
	}
	panic("a property of kind " + t.Kind().String() + ": say what its wrong values are")
}

// wrongValues returns values with the right type but no meaning, and those of properties that are decoded later.
func wrongValues() []invalid {
	at := func(path string, value any, words ...string) invalid {
		return invalid{strings.Split(strings.ReplaceAll(path, "[", ".["), "."), value, words}
	}
	mapping := func(size int) any { return []any{map[string]any{"containerID": 0, "hostID": 1, "size": size}} }
	seccomp := func(member string, value any) any {
		return map[string]any{"defaultAction": "SCMP_ACT_ALLOW", member: value}
	}
	call := func(member string, value any) any {
		return []any{map[string]any{"names": []any{"chmod"}, "action": "SCMP_ACT_ERRNO", member: value}}
	}
	argument := func(member string, value any) any {
		return call("args", []any{map[string]any{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", member: value}})
	}
	return []invalid{
		at("ociVersion", "3.0.0", "3.0.0", "want 1.x.y"),
		at("process.args", []any{}, "missing or empty", "want the program"),
		at("process.cwd", "tmp", "tmp", "not absolute"),
		at("process.env[0]", "A", "A", "want NAME=value"),
		at("process.user.umask", 512, "512", "want 0 to 511"),
		at("process.rlimits[0].type", "RLIMIT_X", "RLIMIT_X", "want one of getrlimit(2)"),
		at("process.oomScoreAdj", 1001, "1001", "want -1000 to 1000"),
		at("root.path", "", "missing or empty", "want the path"),
		at("hostname", strings.Repeat("x", 65), "65 bytes", "want at most 64"),
		at("mounts[0].destination", "", "missing", "want an absolute path"),
		at("linux.namespaces[0].type", "bogus", "bogus", "want pid, network"),
		at("linux.namespaces[0].path", "relative", "relative", "not absolute"),
		at("linux.devices[0]", map[string]any{"path": "/d", "type": "x"}, ".type", "x", "want c, b, u or p"),
		at("linux.devices[0]", map[string]any{"path": "d", "type": "c"}, ".path", "want the absolute path"),
		at("linux.devices[0]", map[string]any{"path": "/d", "type": "c", "major": -1}, ".major", "-1", "want 0 to"),
		at("linux.rootfsPropagation", "bogus", "bogus", "want shared, slave"),
		at("linux.maskedPaths[0]", "", "empty", "want an absolute path"),
		at("linux.readonlyPaths[0]", "", "empty", "want an absolute path"),
		at("linux.cgroupsPath", "a/../../b", "a/../../b", ".. is not allowed"),
		at("linux.timeOffsets", map[string]any{"realtime": map[string]any{"secs": 1}}, "realtime",
			"want monotonic or boottime"),
		at("linux.sysctl", map[string]any{"vm.swappiness": "1"}, "vm.swappiness", "want net.*"),
		at("linux.resources.memory.limit", -2, "-2", "want a number of bytes"),
		at("linux.resources.cpu.quota", 999, "999", "want at least 1000"),
		at("linux.resources.cpu.period", 999, "999", "want 1000 to 1000000"),
		at("linux.resources.cpu.idle", 2, "2", "want 0 or 1"),
		at("linux.resources.cpu.cpus", "all", "all", "want a list of numbers"),
		at("linux.resources.cpu.mems", "all", "all", "want a list of numbers"),
		at("linux.resources.blockIO.weight", 9, "9", "want"),
		at("linux.resources.hugepageLimits", []any{map[string]any{"pageSize": "3MB", "limit": 1}}, "3MB"),
		at("linux.resources.devices[0].type", "p", "p", "want a, c or b"),
		at("linux.resources.devices[0].access", "x", "x", "want letters of rwm"),
		at("linux.resources.unified", map[string]any{"../x.y": "1"}, "../x.y", "want the name of a controller's file"),
		at("hooks.poststop", []any{map[string]any{"path": "relative"}}, "hooks.poststop[0].path", "relative", "not absolute"),
		at("hooks.prestart", []any{map[string]any{"path": "/x", "timeout": 0}}, "hooks.prestart[0].timeout", "0",
			"want a number of seconds"),
		at("annotations", map[string]any{"run.oci.hooks.stdout": "relative"}, "annotations", "relative", "not absolute"),

		at("mounts[0].uidMappings", "nonsense", "uidMappings"),
		at("mounts[0].gidMappings", mapping(0), "size", "0"),
		at("linux.seccomp", "nonsense", "linux.seccomp", "nonsense"),
		at("linux.seccomp.defaultAction", "SCMP_ACT_PERMIT", "SCMP_ACT_PERMIT", "want"),
		at("linux.seccomp.defaultErrnoRet", -1, "-1", "want"),
		at("linux.seccomp", seccomp("architectures", []any{"SCMP_ARCH_Z80"}), "linux.seccomp.architectures",
			"SCMP_ARCH_Z80", "want"),
		at("linux.seccomp", seccomp("flags", []any{"SECCOMP_FILTER_FLAG_X"}), "linux.seccomp.flags",
			"SECCOMP_FILTER_FLAG_X", "want"),
		at("linux.seccomp.listenerPath", 7, "7", "want a string"),
		at("linux.seccomp.listenerMetadata", 7, "7", "want a string"),
		at("linux.seccomp", seccomp("syscalls", call("names", []any{})), "linux.seccomp.syscalls[0].names"),
		at("linux.seccomp", seccomp("syscalls", call("action", "SCMP_ACT_PERMIT")), "syscalls[0].action", "SCMP_ACT_PERMIT",
			"want"),
		at("linux.seccomp", seccomp("syscalls", call("errnoRet", "many")), "syscalls[0].errnoRet", "many", "want"),
		at("linux.seccomp", seccomp("syscalls", argument("index", 6)), "syscalls[0].args[0].index", "6", "want"),
		at("linux.seccomp", seccomp("syscalls", argument("value", -1)), "syscalls[0].args[0].value", "-1", "want"),
		at("linux.seccomp", seccomp("syscalls", argument("valueTwo", "x")), "syscalls[0].args[0].valueTwo", "x", "want"),
		at("linux.seccomp", seccomp("syscalls", argument("op", "SCMP_CMP_X")), "syscalls[0].args[0].op", "SCMP_CMP_X",
			"want"),
		at("linux.netDevices", "nonsense", "linux.netDevices"),
		at("linux.memoryPolicy", "nonsense", "linux.memoryPolicy"),
		at("linux.personality", "nonsense", "linux.personality"),
		at("process.scheduler", "nonsense", "process.scheduler"),
		at("process.ioPriority", "nonsense", "process.ioPriority"),
		at("process.execCPUAffinity", "nonsense", "process.execCPUAffinity"),
	}
}

// setPath sets a value deep in a configuration, and creates missing objects and lists on the way.
func setPath(in any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "[0]" {
		list, _ := in.([]any)
		if len(list) == 0 {
			list = []any{nil}
		}
		list = append([]any{}, list...)
		list[0] = setPath(list[0], path[1:], value)
		return list
	}
	object, _ := in.(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object[path[0]] = setPath(object[path[0]], path[1:], value)
	return object
}

// TestInvalidValues: an invalid value of any property of the configuration is an error of one line with its path, the
// value and what is allowed, and nothing is created. Leftovers would show in the root directory, or in the check that
// ends the package's tests.
func TestInvalidValues(t *testing.T) {
	r, rootfs := newRuntime(t), testenv.Busybox(t)
	all := append(wrongKinds(reflect.TypeFor[oci.Spec](), nil), wrongValues()...)
	if len(all) < 200 {
		t.Errorf("only %d", len(all))
	}
	bundle := testenv.Bundle(t, rootfs, nil)
	file := filepath.Join(bundle, "config.json")
	for _, c := range all {
		config := testenv.Config(rootfs, "invalid")
		setPath(config, c.path, c.value)
		data, err := json.Marshal(config)
		must(t, err)
		must(t, os.WriteFile(file, data, 0o644))
		o := r.do("create", "--bundle", bundle, "invalid")
		if o.status != 1 || o.stdout != "" || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s = %v: %+v", c, c.value, o)
		}
		for _, w := range append([]string{c.String()}, c.words...) {
			if !strings.Contains(o.stderr, w) {
				t.Errorf("%s = %v: %q is not in the message: %s", c, c.value, w, o.stderr)
			}
		}
		if _, err := os.Stat(filepath.Join(r.root, "invalid")); err == nil {
			t.Errorf("%s = %v: left in the root directory", c, c.value)
			r.ok("delete", "--force", "invalid")
		}
	}
}
