package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// exampleProfile allows what its rules list, and forbids socket with one family.
const exampleProfile = `{
	"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13,
	"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
	"syscalls": [
		{"names": ["read", "write", "no_such_call", "execve"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
		{"names": ["read"], "action": "SCMP_ACT_KILL"}
	]}`

func TestSeccompCommand(t *testing.T) {
	r := newRuntime(t)
	dir := testenv.Dir(t)
	profile := filepath.Join(dir, "profile.json")
	config := filepath.Join(dir, "config.json")
	for name, text := range map[string]string{
		profile: exampleProfile, config: `{"ociVersion":"1.3.0","linux":{"seccomp":` + exampleProfile + `}}`,
		dir + "/none.json": `{"ociVersion":"1.3.0"}`, dir + "/docker.json": `{"archMap":[]}`,
		dir + "/bad.json": strings.Replace(exampleProfile, "SCMP_CMP_NE", "!=", 1), dir + "/broken.json": "{",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	says := func(words []string, args ...string) {
		t.Helper()
		o := r.do(append([]string{"seccomp"}, args...)...)
		if o.status != 0 || o.stderr != "" {
			t.Fatalf("%v: %+v", args, o)
		}
		contains(t, o.stdout, words...)
	}
	says([]string{"Rules\n", "default: SCMP_ACT_ERRNO(13)", "syscalls[1]: SCMP_ACT_ALLOW if arg0 != 0x28\n    socket\n",
		"no_such_call\n",
		"without effect: syscalls[2].names[0]: read is decided by syscalls[0]", "Decision tree on SCMP_ARCH_",
		"if architecture == SCMP_ARCH_",
		"Program, ", "   0: ld architecture\n", "ret SCMP_ACT_ALLOW\n"}, profile)
	says([]string{"default: SCMP_ACT_ERRNO(13)"}, config, "--format", "rules")
	says([]string{"if architecture == "}, config, "--format=tree")
	says([]string{"   0: ld architecture\n"}, config, "--format", "program")
	says([]string{"no filter"}, dir+"/none.json")

	says([]string{"socket(", "arguments [0x28 ",
		"SCMP_ACT_ERRNO(13), by linux.seccomp.defaultAction: the conditions of the rules for it do not hold\n"},
		"--call", "socket", profile, "40")
	says([]string{"SCMP_ACT_ALLOW, by linux.seccomp.syscalls[1]\nsyscalls[1] (socket): SCMP_ACT_ALLOW if arg0 != 0x28\n",
		"instructions executed\n"},
		profile, "--call", "socket", "0x2", "--", "-1")
	says([]string{"SCMP_ACT_ALLOW, by linux.seccomp.syscalls[0]"}, profile, "--call", "read")
	says([]string{"SCMP_ACT_ERRNO(13), by linux.seccomp.defaultAction: no rule names it"}, profile, "--call", "getpid")
	says([]string{"unknown(999) on", "SCMP_ACT_ERRNO(38), for it is newer than every call that the profile names"},
		profile, "--call", "999")
	says([]string{"on SCMP_ARCH_S390X", "SCMP_ACT_KILL_THREAD, for the profile does not list the architecture"}, profile,
		"--call", "read", "--arch", "s390x")

	r.fails([]string{"want a FILE"}, "seccomp")
	r.fails([]string{"7", "--call NAME"}, "seccomp", profile, "7")
	r.fails([]string{"bad.json", "linux.seccomp.syscalls[1].args[0].op", "SCMP_CMP_NE"}, "seccomp", dir+"/bad.json")
	r.fails([]string{"broken.json", "broken JSON"}, "seccomp", dir+"/broken.json")
	r.fails([]string{"docker.json", "archMap", "linux.seccomp"}, "seccomp", dir+"/docker.json")
	r.fails([]string{"no such file"}, "seccomp", dir+"/absent.json")
	r.fails([]string{"--format", "xml", "rules, tree, program or all"}, "seccomp", profile, "--format", "xml")
	r.fails([]string{"--call", "no_such_call", "has no such system call"}, "seccomp", profile, "--call", "no_such_call")
	r.fails([]string{"--arch", "pdp11", "SCMP_ARCH_X86_64"}, "seccomp", profile, "--call", "read", "--arch", "pdp11")
	r.fails([]string{"argument", "0x7e020000"}, "seccomp", profile, "--call", "read", "x")
	r.fails([]string{"7 arguments", "at most 6"}, "seccomp", profile, "--call", "read", "1", "2", "3", "4", "5", "6", "7")
	r.fails([]string{"container does not exist"}, "seccomp", "--profile-of", testenv.ID(t))

	cmd := r.command("seccomp", "-", "--call", "read")
	cmd.Stdin = strings.NewReader(exampleProfile)
	if o := finish(t, cmd); o.status != 0 || !strings.Contains(o.stdout, "SCMP_ACT_ALLOW, by linux.seccomp.syscalls[0]") {
		t.Errorf("%+v", o)
	}
}

// TestSeccompOfAContainer reads the profile of a container from its bundle.
func TestSeccompOfAContainer(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "exit 0", nil), id)
	if o := r.do("seccomp", "--profile-of", id); o.status != 0 || o.stdout != "no filter: every call is allowed\n" {
		t.Errorf("%+v", o)
	}
	r.ok("delete", "--force", id)
	bundle := shell(t, "exit 0", func(config map[string]any) {
		linux(config)["seccomp"] = map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []any{
			map[string]any{"names": []any{"mount"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 12}}}
	})
	r.ok("create", "-b", bundle, id)
	defer r.ok("delete", "--force", id)
	// later changes of the bundle have no effect
	edit(t, bundle, func(config map[string]any) { delete(linux(config), "seccomp") })
	o := r.do("seccomp", "--profile-of", id, "--call", "mount", "1")
	if o.status != 0 || !strings.Contains(o.stdout, "SCMP_ACT_ERRNO(12), by linux.seccomp.syscalls[0]\n") {
		t.Errorf("%+v", o)
	}
}
