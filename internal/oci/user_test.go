package oci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/syncproto/container"
)

// TestParseUser checks that everything that is not plainly a number is refused, and that a number is never a name
// (CVE-2026-30892, CVE-2016-3697).
func TestParseUser(t *testing.T) {
	id := func(n uint32) *uint32 { return &n }
	for text, want := range map[string]*UserIDs{
		"0": {0, nil}, "1": {1, nil}, "1000:1": {1000, id(1)}, "4294967294:0": {4294967294, id(0)},
		"": nil, "1:": nil, ":1": nil, "01": nil, "1:01": nil, "0x1": nil, "-1": nil, "+1": nil, "4294967295": nil,
		"4294967296": nil, "99999999999999999999": nil,
		"1:2:3": nil, " 1": nil, "1 ": nil, "1:\t2": nil, "root": nil, "root:root": nil, "1e3": nil, "1_000": nil,
		"\u0661": nil, ":": nil,
	} {
		got, err := ParseUser(text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
		if (err == nil) != (want != nil) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "want uid or uid:gid") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseUser(f *testing.F) {
	for _, s := range []string{"0", "1:2", "01", "4294967295"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseUser(s)
		if err != nil {
			return
		}
		again := utoa(u.UID)
		if u.GID != nil {
			again += ":" + utoa(*u.GID)
		}
		if again != s {
			t.Errorf("%q was taken for %s", s, again)
		}
	})
}

func utoa(n uint32) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return utoa(n/10) + string(rune('0'+n%10))
}

func TestChangesApply(t *testing.T) {
	base := &Process{
		Args: []string{"a"}, Cwd: "/", Env: []string{"A=1"}, User: User{UID: 1, GID: 2, AdditionalGIDs: []uint32{3}},
		Capabilities: &Capabilities{Bounding: []string{"CAP_KILL"}, Inheritable: []string{"CAP_KILL"}},
	}
	yes := true
	changes := Changes{
		Args: []string{"b", "c"}, Cwd: "/d", Env: []string{"A=2"}, User: &UserIDs{UID: 5}, AdditionalGIDs: []uint32{7},
		Capabilities: []string{"CAP_CHOWN"},
		NoNewPrivs:   true, Terminal: &yes, SelinuxLabel: "s", Apparmor: "p",
	}
	got := changes.Apply(base)
	want := &Process{
		Args: []string{"b", "c"}, Cwd: "/d", Env: []string{"A=1", "A=2"}, User: User{UID: 5, GID: 2,
			AdditionalGIDs: []uint32{3, 7}}, NoNewPrivileges: true, Terminal: true,
		Capabilities: &Capabilities{
			Bounding: []string{"CAP_KILL", "CAP_CHOWN"}, Effective: []string{"CAP_CHOWN"}, Permitted: []string{"CAP_CHOWN"},
			Inheritable: []string{"CAP_KILL"}, Ambient: []string{"CAP_CHOWN"},
		},
		SelinuxLabel: "s", ApparmorProfile: "p",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(base.Env) != 1 || len(base.User.AdditionalGIDs) != 1 || len(base.Capabilities.Bounding) != 1 {
		t.Errorf("the process itself was changed: %+v", base)
	}
	// CVE-2022-29162, CVE-2022-27650, CVE-2025-27612: a process without inheritable capabilities has none after
	// the change either, and no ambient ones.
	changes = Changes{Capabilities: []string{"CAP_CHOWN"}}
	if caps := changes.Apply(&Process{}).Capabilities; len(caps.Inheritable) > 0 || len(caps.Ambient) > 0 ||
		len(caps.Bounding) != 1 {
		t.Errorf("%+v", caps)
	}
}

func TestPlanProcess(t *testing.T) {
	p := &Process{Args: []string{"x"}, Cwd: "/", User: User{UID: 5, GID: 6, AdditionalGIDs: []uint32{7}}}
	mapped := []IDMapping{{0, 100000, 10}}
	cfg, _, err := PlanProcess(p, Running{ID: "c", SetGroups: true, UIDMappings: mapped, GIDMappings: mapped,
		PreserveFDs: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := container.Process{Args: []string{"x"}, Cwd: "/", UID: 5, GID: 6, AdditionalGIDs: []uint32{7}}
	if diff := cmp.Diff(want, cfg.Container.Process); diff != "" || cfg.Container.ID != "c" || cfg.PreserveFDs != 2 {
		t.Errorf("%s %+v", diff, cfg)
	}
	for want, bad := range map[string]struct {
		p Process
		r Running
	}{
		"process.user.uid: 10 is not mapped": {Process{Args: []string{"x"}, Cwd: "/", User: User{UID: 10}},
			Running{UIDMappings: mapped, GIDMappings: mapped}},
		"additionalGids[0]: 7: additional groups": {*p, Running{UIDMappings: mapped, GIDMappings: mapped}},
		"process.args: missing":                   {Process{Cwd: "/"}, Running{}},
		"process.ioPriority.class: invalid": {Process{Args: []string{"x"}, Cwd: "/", IOPriority: &IOPriority{}},
			Running{}},
	} {
		if _, _, err := PlanProcess(&bad.p, bad.r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
