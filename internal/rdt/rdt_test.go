package rdt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		in   Config
		want Group
		err  string
	}{
		"nothing":   {want: Group{Class: "ctr", Optional: true}},
		"named":     {in: Config{ClosID: "gold"}, want: Group{Class: "gold", Given: true}},
		"root":      {in: Config{ClosID: "/", EnableMonitoring: true}, want: Group{Given: true, Monitor: "ctr"}},
		"old names": {in: Config{EnableMBM: true}, want: Group{Class: "ctr", Monitor: "ctr"}},
		"both": {in: Config{L3CacheSchema: "L3:0=f;1=f\nMB:0=1\n", MemBwSchema: "MB:0=20"},
			want: Group{Class: "ctr", Schema: []string{"L3:0=f;1=f", "MB:0=20"}}},
		"cache with bandwidth": {in: Config{L3CacheSchema: "L3CODE:0=f\nMB:0=1", Schemata: []string{"L2:0=3"}},
			want: Group{Class: "ctr", Schema: []string{"L3CODE:0=f", "MB:0=1", "L2:0=3"}}},
		"up":          {in: Config{ClosID: ".."}, err: `closID: ".."`},
		"below":       {in: Config{ClosID: "a/b"}, err: `closID: "a/b"`},
		"info":        {in: Config{ClosID: "info"}, err: `closID: "info"`},
		"line":        {in: Config{ClosID: "a\nb"}, err: `closID: "a\nb"`},
		"not L3":      {in: Config{L3CacheSchema: "L2:0=f"}, err: `l3CacheSchema: "L2:0=f" does not begin with L3`},
		"not MB":      {in: Config{MemBwSchema: "L3:0=f"}, err: `memBwSchema: "L3:0=f" does not begin with "MB:"`},
		"two lines":   {in: Config{MemBwSchema: "MB:0=1\nL3:0=1"}, err: "is not one line"},
		"no domain":   {in: Config{Schemata: []string{"L3:"}}, err: "is not one line"},
		"empty line":  {in: Config{Schemata: []string{""}}, err: "schemata[0]: the line is empty"},
		"one, broken": {in: Config{Schemata: []string{"L3:0=1\n"}}, err: "is not one line"},
	} {
		got, err := Plan(&c.in, "ctr")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", name, err, c.err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestMatch(t *testing.T) {
	const file = "    L3:0=0ffff;1=000ff\n    MB:0= 90;1=100\n"
	for line, want := range map[string]bool{
		"L3:0=ffff;1=ff": true, "L3:1=FF": true, "L3:1=0ff;0=ffff": true, "MB:0=90": true, "MB: 0 = 090": true,
		"L3:0=fff": false, "L3:2=ff": false, "L2:0=ff": false, "MB:0=9": false, "MB:0=0": false,
	} {
		if err := Match(file, []string{line}); (err == nil) != want {
			t.Errorf("%q: %v, want a match: %t", line, err, want)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add("gold", "L3:0=f;1=f\nMB:0=1", "MB:0=20", "L2:0=3", "c1")
	f.Add("/", "", "", "", "..")
	f.Fuzz(func(t *testing.T, class, l3, memory, other, id string) {
		c := Config{ClosID: class, L3CacheSchema: l3, MemBwSchema: memory}
		if other != "" {
			c.Schemata = []string{other}
		}
		g, err := Plan(&c, id)
		if err != nil {
			return
		}
		if strings.ContainsAny(g.Class, "/\n\x00") || g.Class == ".." || g.Class == "." {
			t.Errorf("class %q", g.Class)
		}
		for _, line := range g.Schema {
			if strings.ContainsAny(line, "\n\x00") {
				t.Errorf("line %q", line)
			}
		}
	})
}

const fresh = "L3:0=fffff;1=fffff\nMB:0=100;1=100\n"

// fakeResctrl is a directory that behaves like the kernel's when groups are created and removed, because few machines
// have the feature.
func fakeResctrl(t *testing.T) (*FS, *[]string) {
	t.Helper()
	root := t.TempDir()
	var writes []string
	fill := func(dir string) error {
		return errors.Join(os.WriteFile(filepath.Join(dir, "schemata"), []byte(fresh), 0o644),
			os.WriteFile(filepath.Join(dir, "tasks"), nil, 0o644), os.MkdirAll(filepath.Join(dir, "mon_groups"), 0o755))
	}
	f := &FS{root: root, rmdir: func(p string) error {
		if _, err := os.Stat(p); err != nil {
			return err
		}
		return os.RemoveAll(p)
	}}
	f.mkdir = func(p string) error {
		if filepath.Base(p) == "full" {
			return &os.PathError{Op: "mkdir", Path: p, Err: unix.ENOSPC}
		}
		if err := os.Mkdir(p, 0o755); err != nil {
			return err
		}
		return fill(p)
	}
	f.writeFile = func(p, text string) error {
		if _, err := os.Stat(p); err != nil {
			return err
		}
		if strings.Contains(text, "bad") {
			return &os.PathError{Op: "write", Path: p, Err: unix.EINVAL}
		}
		rel, err := filepath.Rel(root, p)
		writes = append(writes, rel+" "+text)
		return err
	}
	if err := errors.Join(fill(root), os.Mkdir(filepath.Join(root, "info"), 0o755),
		os.WriteFile(filepath.Join(root, "info", "last_cmd_status"), []byte("Unknown domain\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	return f, &writes
}

// tree returns every directory below the root except those that always exist.
func tree(t *testing.T, f *FS) (all []string) {
	t.Helper()
	err := filepath.WalkDir(f.root, func(p string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(f.root, p); d.IsDir() && rel != "." && d.Name() != "info" && d.Name() != "mon_groups" {
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMakeAndRemove: only what was created is removed, and an existing class stays as it is.
func TestMakeAndRemove(t *testing.T) {
	f, writes := fakeResctrl(t)
	if err := f.mkdir(filepath.Join(f.root, "gold")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group Group
		want  Saved
		made  []string
		write string
		err   string
	}{
		{group: Group{Class: "c1", Schema: []string{"L3:0=f", "MB:0=10"}, Monitor: "c1"},
			want: Saved{Class: "c1", Made: true, Monitor: "c1"}, made: []string{"c1", "c1/mon_groups/c1", "gold"},
			write: "c1/schemata L3:0=f\nMB:0=10\n"},
		{group: Group{Class: "c1"}, want: Saved{Class: "c1", Made: true}, made: []string{"c1", "gold"}},
		{group: Group{Class: "gold", Given: true, Monitor: "c1"}, want: Saved{Class: "gold", Monitor: "c1"},
			made: []string{"gold", "gold/mon_groups/c1"}},
		{group: Group{Class: "gold", Given: true, Schema: []string{"L3:1=fffff"}}, want: Saved{Class: "gold"},
			made: []string{"gold"}},
		{group: Group{Class: "new", Given: true, Schema: []string{"L3:1=1"}}, want: Saved{Class: "new", Made: true},
			made: []string{"gold", "new"}, write: "new/schemata L3:1=1\n"},
		{group: Group{Given: true, Monitor: "c1"}, want: Saved{Monitor: "c1"}, made: []string{"gold", "mon_groups/c1"}},
		{group: Group{Class: "gold", Given: true, Schema: []string{"L3:0=1"}},
			err: `the class exists and its schemata does not have "L3:0=1"`},
		{group: Group{Class: "none", Given: true}, err: "no such file or directory"},
		{group: Group{Class: "c2", Schema: []string{"L3:0=bad"}}, err: "invalid argument: Unknown domain"},
		{group: Group{Class: "full"}, err: "no further class or monitor"},
		{group: Group{Class: "c3", Monitor: "full"}, err: "no further class or monitor"},
	} {
		*writes = nil
		intent, err := f.Intend(c.group)
		if err != nil || c.err == "" && intent != c.want {
			t.Errorf("%+v: intent %+v, %v", c.group, intent, err)
		}
		s, err := f.Make(c.group)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v: %v, want %s", c.group, err, c.err)
			}
			if diff := cmp.Diff([]string{"gold"}, tree(t, f)); diff != "" {
				t.Errorf("left behind: %s", diff)
			}
			continue
		}
		if diff := cmp.Diff(c.want, s); err != nil || diff != "" {
			t.Errorf("%+v: %v %s", c.group, err, diff)
		}
		if diff := cmp.Diff(c.made, tree(t, f)); diff != "" {
			t.Errorf("%+v made %s", c.group, diff)
		}
		if got := strings.Join(*writes, ""); got != c.write {
			t.Errorf("%+v wrote %q, want %q", c.group, got, c.write)
		}
		if err := errors.Join(f.Remove(s), f.Remove(s)); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
		if diff := cmp.Diff([]string{"gold"}, tree(t, f)); diff != "" {
			t.Errorf("%+v left %s", c.group, diff)
		}
	}
}

// TestAdd: every thread of the process is added, once.
func TestAdd(t *testing.T) {
	f, writes := fakeResctrl(t)
	s, err := f.Make(Group{Class: "c1", Monitor: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Add(s, os.Getpid()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, w := range *writes {
		if seen[w] || !strings.HasPrefix(w, "c1/mon_groups/m/tasks ") {
			t.Errorf("%q", w)
		}
		seen[w] = true
	}
	if !seen["c1/mon_groups/m/tasks "+strconv.Itoa(os.Getpid())] || len(seen) < 2 {
		t.Errorf("%v", *writes)
	}
}

func TestChange(t *testing.T) {
	f, writes := fakeResctrl(t)
	s, err := f.Make(Group{Class: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Change(s, []string{"MB:0=30"}); err != nil || strings.Join(*writes, "") != "c1/schemata MB:0=30\n" {
		t.Errorf("%v: %v", err, *writes)
	}
	if err := f.Change(Saved{}, []string{"MB:0=30"}); err == nil || !strings.Contains(err.Error(),
		`class "/" was not made for this container`) {
		t.Errorf("%v", err)
	}
}

func TestFindMount(t *testing.T) {
	if p, ok := findMount("30 23 0:27 / /sys/fs/cgroup rw - cgroup2 c rw\n31 23 0:28 / /sys/fs/resctrl rw,relatime - " +
		"resctrl resctrl rw\n"); !ok || p != "/sys/fs/resctrl" {
		t.Errorf("%q %t", p, ok)
	}
	if p, ok := findMount("30 23 0:27 / /sys/fs/cgroup rw - cgroup2 c rw\nx\n"); ok {
		t.Errorf("%q", p)
	}
}
