package systemd

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("n", 256)
	for _, c := range []struct {
		path, id string
		user     bool
		unit     Unit
		group    string // below base /b
	}{
		{"", "web", false, Unit{Slice: "system.slice", Name: "handfast-web.scope"}, "/b/system.slice/handfast-web.scope"},
		{"", "web", true, Unit{Slice: "user.slice", Name: "handfast-web.scope"}, "/b/user.slice/handfast-web.scope"},
		{"", "a+b", false, Unit{Slice: "system.slice", Name: `handfast-a\x2bb.scope`},
			`/b/system.slice/handfast-a\x2bb.scope`},
		{":cri:web", "x", false, Unit{Slice: "system.slice", Name: "cri-web.scope"}, "/b/system.slice/cri-web.scope"},
		{"::web", "x", false, Unit{Slice: "system.slice", Name: "web.scope"}, "/b/system.slice/web.scope"},
		{"::cpu", "x", false, Unit{Slice: "system.slice", Name: "cpu.scope"}, "/b/system.slice/_cpu.scope"},
		{"-.slice:p:n", "x", false, Unit{Slice: "-.slice", Name: "p-n.scope"}, "/b/p-n.scope"},
		{"a-b-c.slice:p:n", "x", false, Unit{Slice: "a-b-c.slice", Name: "p-n.scope"},
			"/b/a.slice/a-b.slice/a-b-c.slice/p-n.scope"},
		{"kube.slice::kube-pod1.slice", "x", false, Unit{Slice: "kube.slice", Name: "kube-pod1.slice"},
			"/b/kube.slice/kube-pod1.slice"},
		{"::top.slice", "x", false, Unit{Slice: "-.slice", Name: "top.slice"}, "/b/top.slice"},
		{"system.slice:p:" + long[:255-2-6], "x", false, Unit{Slice: "system.slice", Name: "p-" + long[:247] + ".scope"},
			"/b/system.slice/p-" + long[:247] + ".scope"},
	} {
		u, err := Parse(c.path, c.id, c.user)
		if err != nil || u != c.unit {
			t.Errorf("Parse(%q, %q, %t) = %+v, %v; want %+v", c.path, c.id, c.user, u, err, c.unit)
			continue
		}
		if p, err := u.Path("/b"); err != nil || p != c.group {
			t.Errorf("%+v is in %q, %v; want %q", u, p, err, c.group)
		}
	}
	const notInForm = `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "`
	for path, want := range map[string]string{
		"/a/b": notInForm, "a:b": notInForm, "a.slice:b:c:d": notInForm,
		"a.slice:b:../c": notInForm,
		"a.slice:b:":     "name is empty", "a:b:c": "does not end in .slice", "a--b.slice:p:n": "empty part",
		"-a.slice:p:n": "empty part", "a-.slice:p:n": "empty part", ".slice:p:n": "empty part",
		"a.slice:p:n n": `" " is not allowed`, "a.slice:p@:n": `"@" is not allowed`, "a b.slice:p:n": "not allowed",
		"a.slice:p:" + long:  "at most 255",
		"b.slice::a-b.slice": "in a.slice by its name", "::-.slice": "root slice", "::a--b.slice": "empty part",
	} {
		if u, err := Parse(path, "id", false); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %+v, %v; want an error with %q", path, u, err, want)
		}
	}
}

// TestPathStaysBelow: whatever the parts are, a unit that is accepted has a group that is made of plain names below its
// manager's.
func TestPathStaysBelow(t *testing.T) {
	part := rapid.StringMatching(`[a-z./ :\x00_-]{0,6}(\.slice)?`)
	rapid.Check(t, func(t *rapid.T) {
		u, err := Parse(part.Draw(t, "slice")+":"+part.Draw(t, "prefix")+":"+part.Draw(t, "name"), "id", false)
		if err != nil {
			return
		}
		p, err := u.Path("/base")
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := strings.CutPrefix(p, "/base/")
		for name := range strings.SplitSeq(rest, "/") {
			ok = ok && name != "" && name != "." && name != ".." && len(name) <= 256 &&
				strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_.:-") == ""
		}
		if !ok {
			t.Fatalf("%+v is in %q", u, p)
		}
	})
}

func TestSub(t *testing.T) {
	for _, bad := range []string{"a/b", "/", "..", ".", "cgroup.procs", "tasks", "memory.max", "_x", "a\x00"} {
		if err := checkSub(bad); !errors.Is(err, unix.EINVAL) {
			t.Errorf("checkSub(%q) = %v", bad, err)
		}
	}
	if err := checkSub("container"); err != nil {
		t.Error(err)
	}
}
