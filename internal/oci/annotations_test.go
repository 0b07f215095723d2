package oci

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/syncproto/container"
)

func annotation(name, value string) string {
	data, _ := json.Marshal(map[string]any{"annotations": map[string]string{name: value}})
	return string(data)
}

// TestLandlock checks the rules as they are sent, and the handling of rights that the kernel does not know yet.
func TestLandlock(t *testing.T) {
	const rules = `{"ruleset": {"handledAccessFS": ["read_file", "write_file", "truncate"], "handledAccessNet": ["bind_tcp"], "scoped": ["signal"]},
		"rules": {"pathBeneath": [{"allowedAccess": ["read_file"], "paths": ["/", "/usr"]}, {"allowedAccess": ["truncate"], "paths": ["/tmp"]}],
		"netPort": [{"allowedAccess": ["bind_tcp"], "ports": [80, 443]}]}}`
	for abi, want := range map[int]container.Landlock{
		7: {FS: unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE,
			Net: 1, Scoped: 2,
			Paths: []container.LandlockPath{{Path: "/", Access: 4}, {Path: "/usr", Access: 4}, {Path: "/tmp", Access: 1 << 14}},
			Ports: []container.LandlockPort{{Port: 80, Access: 1}, {Port: 443, Access: 1}}},
		2: {FS: 6, Paths: []container.LandlockPath{{Path: "/", Access: 4}, {Path: "/usr", Access: 4}}},
	} {
		out := planOf(t, Options{Host: Host{LandlockABI: abi}}, annotation(AnnotationLandlock, rules))
		if diff := cmp.Diff(&want, out.Spawn.Container.Process.Landlock); diff != "" {
			t.Errorf("version %d (-want +got)\n%s", abi, diff)
		}
		var warnings []string
		if abi == 2 {
			warnings = []string{"annotations.io.github.handfast.landlock: this kernel's Landlock, version 2, does not know " +
				"truncate, bind_tcp, signal: they are not forbidden"}
		}
		if diff := cmp.Diff(warnings, out.Warnings); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnnotations(t *testing.T) {
	out := planOf(t, Options{}, annotation(AnnotationCoreScheduling, "true"),
		annotation(AnnotationParentDeath, "sigterm"))
	if out.Spawn.Container.Process.ParentDeathSignal != 15 || !out.CoreScheduling || len(out.Annotations) != 2 {
		t.Errorf("%+v", out)
	}
	out = planOf(t, Options{}, annotation(AnnotationCoreScheduling, "false"), annotation(AnnotationParentDeath, "9"))
	if out.Spawn.Container.Process.ParentDeathSignal != 9 || out.CoreScheduling {
		t.Errorf("%+v", out)
	}
	out = planOf(t, Options{}, annotation(AnnotationKeepGroups, "1"), `{"process": {"user": {"additionalGids": [5]}}}`)
	if p := out.Spawn.Container.Process; !p.KeepGroups || p.AdditionalGIDs != nil || len(out.Warnings) != 1 {
		t.Errorf("%+v", out)
	}
	out = planOf(t, Options{}, annotation(AnnotationKeepGroups, "0"), `{"process": {"user": {"additionalGids": [5]}}}`)
	if p := out.Spawn.Container.Process; p.KeepGroups || len(p.AdditionalGIDs) != 1 || out.Warnings != nil {
		t.Errorf("%+v", out)
	}
	const landlock = "annotations.io.github.handfast.landlock"
	const fs = "execute, write_file, read_file, read_dir, remove_dir, remove_file, make_char, make_dir, make_reg, " +
		"make_sock, make_fifo, make_block, make_sym, refer, truncate, ioctl_dev"
	for _, c := range []struct {
		name, value string
		abi         int
		want        string
	}{
		{AnnotationCoreScheduling, "1", 7, `annotations.io.github.handfast.core-scheduling: "1"; want true or false`},
		{AnnotationKeepGroups, "yes", 7, `annotations.run.oci.keep_original_groups: "yes"; want 1 or 0`},
		{AnnotationParentDeath, "NONE", 7,
			`annotations.io.github.handfast.parent-death-signal: "NONE"; want a signal such as KILL, SIGTERM or 15`},
		{AnnotationParentDeath, "65", 7,
			`annotations.io.github.handfast.parent-death-signal: "65"; want a signal such as KILL, SIGTERM or 15`},
		{AnnotationLandlock, `{"ruleset": {"scoped": ["signal"]}}`, 0,
			landlock + `: Landlock is not in force on this host`},
		{AnnotationLandlock, `{"rulset": {}}`, 7,
			landlock + `: want one JSON object with ruleset and rules: json: unknown field "rulset"`},
		{AnnotationLandlock, `{} {}`, 7,
			landlock + `: want one JSON object with ruleset and rules: there is more after it`},
		{AnnotationLandlock, `{}`, 7,
			landlock + `.ruleset: it forbids nothing; want handledAccessFS, handledAccessNet or scoped`},
		{AnnotationLandlock, `{"ruleset": {"handledAccessFS": ["write"]}}`, 7,
			landlock + `.ruleset.handledAccessFS[0]: "write" is not known; want one of ` + fs},
		{AnnotationLandlock, `{"ruleset": {"scoped": ["signal"]}, "disableBestEffort": true}`, 5,
			landlock + `: this kernel's Landlock, version 5, does not know signal, and disableBestEffort is set`},
		{AnnotationLandlock, `{"ruleset": {"handledAccessFS": ["execute"]}, "rules": {"pathBeneath": [{"allowedAccess": ["execute", "read_dir"], "paths": ["/"]}]}}`, 7,
			landlock + `.rules.pathBeneath[0].allowedAccess: "read_dir" is not among what the ruleset handles, and so is allowed anyway`},
		{AnnotationLandlock, `{"ruleset": {"handledAccessFS": ["execute"]}, "rules": {"pathBeneath": [{"paths": ["/"]}]}}`, 7,
			landlock + `.rules.pathBeneath[0].allowedAccess: missing or empty; want some of what the ruleset handles`},
		{AnnotationLandlock, `{"ruleset": {"handledAccessFS": ["execute"]}, "rules": {"pathBeneath": [{"allowedAccess": ["execute"], "paths": ["bin"]}]}}`, 7,
			landlock + `.rules.pathBeneath[0].paths[0]: "bin" is not absolute`},
		{AnnotationLandlock, `{"ruleset": {"handledAccessNet": ["bind_tcp"]}, "rules": {"netPort": [{"allowedAccess": ["connect_tcp"], "ports": [1]}]}}`, 7,
			landlock + `.rules.netPort[0].allowedAccess: "connect_tcp" is not among what the ruleset handles, and so is allowed anyway`},
		{AnnotationLandlock, `{"ruleset": {"handledAccessNet": ["bind_tcp"]}, "rules": {"netPort": [{"allowedAccess": ["bind_tcp"], "ports": [65536]}]}}`, 7,
			landlock + `: want one JSON object with ruleset and rules: json: cannot unmarshal number 65536 into Go struct field .rules.netPort.ports of type uint16`},
	} {
		_, err := Plan(spec(t, annotation(c.name, c.value)), Options{Bundle: "/b", ID: "x",
			Host: Host{LandlockABI: c.abi}})
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("%s=%s\ngot  %s\nwant %s", c.name, c.value, got, c.want)
		}
	}
}
