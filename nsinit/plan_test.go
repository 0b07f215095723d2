package nsinit

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		// An example cannot skip itself.
		fmt.Fprintln(os.Stderr, "nsinit: Example is skipped, for it needs root")
		_ = flag.Set("test.skip", "^Example$")
	}
	testenv.Main(m, testenv.Options{First: func() { Main() }})
}

func created(kinds ...string) []container.Namespace {
	var ns []container.Namespace
	for _, k := range kinds {
		ns = append(ns, container.Namespace{Kind: k, How: container.NSCreated})
	}
	return ns
}

// minimal returns a minimal configuration that has a plan.
func minimal() container.Config {
	return container.Config{
		ID: "c", Root: container.Root{Path: "/bundle/rootfs"}, Namespaces: created(container.NSMount),
		Process: container.Process{Args: []string{"/bin/true"}, Cwd: "/"},
	}
}

// full returns a configuration with something for every stage.
func full() container.Config {
	c := minimal()
	c.Namespaces = append(created(container.NSPid, container.NSNetwork, container.NSIPC, container.NSUTS,
		container.NSMount), container.Namespace{Kind: container.NSCgroup, How: container.NSUnshare})
	c.Hostname, c.Domainname, c.Loopback = "host", "domain", true
	c.Sysctl = []container.KeyValue{{Key: "net.ipv4.ip_forward", Value: "1"}}
	c.Root.Readonly, c.Root.Propagation = true, unix.MS_SLAVE|unix.MS_REC
	c.Mounts = []container.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Set: unix.MOUNT_ATTR_NOSUID},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Data: []string{"size=65536k", "mode=755"}},
		{Destination: "/etc/hosts", Source: "/srv/hosts", Bind: true, Set: unix.MOUNT_ATTR_RDONLY,
			Clear: unix.MOUNT_ATTR_NOEXEC},
		{Destination: "/data", Source: "/srv/data", Bind: true, Recursive: true, RecSet: unix.MOUNT_ATTR_RDONLY,
			Propagation: unix.MS_SLAVE | unix.MS_REC},
		{Destination: "/tmp", Type: "tmpfs", Set: unix.MOUNT_ATTR_RDONLY, CopyUp: true},
		{Destination: "/etc/localtime", Link: "../usr/share/zoneinfo/UTC"},
	}
	c.Devices = []container.Device{{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666},
		{Path: "/dev/pipe", Type: "p", Mode: 0o600}}
	c.Devices = append(c.Devices, container.Device{Path: "/dev//ptmx", Type: "c", Major: 5, Minor: 2, Mode: 0o666})
	c.Masked, c.Readonly = []string{"/proc/keys"}, []string{"/proc/sys"}
	c.Hooks = container.Hooks{Runtime: true, CreateContainer: []container.Hook{{Path: "/bin/hook"}},
		StartContainer: []container.Hook{{Path: "/bin/late"}}}
	c.Process.UID, c.Process.GID, c.Process.Terminal, c.KeepFDs = 1000, 100, true, 2
	c.Process.Rlimits = []container.Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 10, Hard: 20}}
	c.Process.Cwd = "/home/../home/user"
	c.Process.Personality, c.Process.IOPriority, c.Process.Processors = new(uint64(8)), 2<<13|3, []uint32{0, 1100}
	c.Process.MemoryPolicy = &container.MemoryPolicy{
		Mode: unix.MPOL_BIND, Flags: unix.MPOL_F_STATIC_NODES, Nodes: []uint32{0, 2},
	}
	c.Process.Scheduler = &container.Scheduler{Policy: 1, Priority: 7}
	c.Process.ParentDeathSignal = 9
	c.Process.Landlock = &container.Landlock{
		FS: 6, Net: 1, Scoped: 2, Paths: []container.LandlockPath{{Path: "/tmp", Access: 2}},
		Ports: []container.LandlockPort{{Port: 80, Access: 1}},
	}
	c.GateFD, c.StdinFD, c.StderrFD = 1, 2, 3
	return c
}

func TestPlanJoinGolden(t *testing.T) {
	cfg := full()
	cfg.Hooks, cfg.GateFD = container.Hooks{}, 0
	cfg.Process.AppArmorProfile, cfg.Process.SELinuxLabel = "web", "system_u:system_r:web_t:s0"
	steps, err := planJoin(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(describe(s) + "\n")
	}
	golden.Compare(t, filepath.Join("testdata", "plan", "setns.txt"), b.String())
	for _, bad := range []func(p *container.Process){
		func(p *container.Process) { p.Args = nil }, func(p *container.Process) { p.Cwd = "x" },
		func(p *container.Process) { p.AppArmorProfile = "a\x00b" },
	} {
		cfg := full()
		bad(&cfg.Process)
		if _, err := planJoin(&cfg); err == nil || !strings.Contains(err.Error(), "process") {
			t.Errorf("%v", err)
		}
	}
}

func TestPlanGolden(t *testing.T) {
	golden.Only(t, "testdata/plan/*", "testdata/plan/setns.txt")
	for name, mutate := range map[string]func(*container.Config){
		"minimal":  func(*container.Config) {},
		"full":     func(c *container.Config) { *c = full() },
		"no-pivot": func(c *container.Config) { c.Root.NoPivot = true },
		"bound-dev": func(c *container.Config) {
			c.Mounts = []container.Mount{{Destination: "/dev/", Source: "/dev", Bind: true, Recursive: true}}
		},
		"no-mount-namespace": func(c *container.Config) { c.Namespaces = created(container.NSPid) },
		"filtered": func(c *container.Config) {
			c.GateFD, c.Process.Seccomp = 1, &container.Seccomp{Filter: make([]byte, 16),
				Flags: unix.SECCOMP_FILTER_FLAG_LOG}
		},
		"filtered-listener": func(c *container.Config) {
			c.Process.Seccomp = &container.Seccomp{Filter: make([]byte, 8), Listener: true}
		},
		"filtered-hook": func(c *container.Config) {
			c.Hooks.StartContainer = []container.Hook{{Path: "/bin/late"}}
			c.Process.Seccomp = &container.Seccomp{Filter: make([]byte, 8)}
		},
		"joined": func(c *container.Config) {
			c.Namespaces = []container.Namespace{{Kind: container.NSMount, How: container.NSJoin, FD: 1}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := minimal()
			mutate(&cfg)
			steps, err := plan(&cfg)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, s := range steps {
				b.WriteString(describe(s) + "\n")
			}
			golden.Compare(t, filepath.Join("testdata", "plan", name+".txt"), b.String())
		})
	}
}

// TestPlanWithoutProgram checks that a process behind a gate may have no program, and that none is looked up then.
func TestPlanWithoutProgram(t *testing.T) {
	cfg := full()
	cfg.Process.Args, cfg.Process.Seccomp = nil, nil
	if _, err := plan(&cfg); err != nil {
		t.Fatalf("with a gate: %v", err)
	}
	steps, _ := plan(&cfg)
	for _, s := range steps {
		if s.stage() == stageProgram {
			t.Errorf("looks up %q", s.detail())
		}
	}
	cfg.GateFD = 0
	if _, err := plan(&cfg); err == nil {
		t.Error("without a gate nothing keeps it from the execution, and it was planned")
	}
}

func TestPlanRefuses(t *testing.T) {
	for want, mutate := range map[string]func(*container.Config){
		"process.args":                 func(c *container.Config) { c.Process.Args = nil },
		"process.cwd":                  func(c *container.Config) { c.Process.Cwd = "x" },
		"root.path":                    func(c *container.Config) { c.Root.Path = "rootfs" },
		"NUL byte":                     func(c *container.Config) { c.Process.Env = []string{"A=\x00"} },
		"mounts[0].destination: \"x\"": func(c *container.Config) { c.Mounts = []container.Mount{{Destination: "x"}} },
		"is the root itself":           func(c *container.Config) { c.Mounts = []container.Mount{{Destination: "/x/.."}} },
		"devices[0]": func(c *container.Config) {
			c.Devices = []container.Device{{Path: "/dev/x",
				Type: "u"}}
		},

		"hostname: needs a uts namespace":        func(c *container.Config) { c.Hostname = "x" },
		"domainname: needs a uts namespace":      func(c *container.Config) { c.Domainname = "x" },
		"mounts: needs a mount namespace":        func(c *container.Config) { c.Mounts, c.Namespaces = full().Mounts, nil },
		"masked: needs a mount namespace":        func(c *container.Config) { c.Masked, c.Namespaces = full().Masked, nil },
		"root.readonly: needs a mount namespace": func(c *container.Config) { c.Root.Readonly, c.Namespaces = true, nil },
		"process.additionalGids: [7] cannot": func(c *container.Config) {
			c.Process.KeepGroups,
				c.Process.AdditionalGIDs = true, []uint32{7}
		},
		"process.additionalGids: [8] cannot": func(c *container.Config) {
			c.SetGroupsDenied,
				c.Process.AdditionalGIDs = true, []uint32{8}
		},
		"process.umask: 01000 is more": func(c *container.Config) { c.Process.Umask = new(uint32(0o1000)) },
		"process.terminal is false":    func(c *container.Config) { c.Process.Columns = 80 },
		"timeout -1 s of /h": func(c *container.Config) {
			c.Hooks.StartContainer = []container.Hook{{Path: "/h",
				Timeout: -1}}
		},
		"mounts[0]: data, fsFlags and copyUp": func(c *container.Config) {
			c.Mounts = []container.Mount{{Destination: "/x", Source: "/y", Bind: true, CopyUp: true}}
		},
		"mounts[0]: recursive is of a bind mount": func(c *container.Config) {
			c.Mounts = []container.Mount{{Destination: "/x", Type: "tmpfs", Recursive: true}}
		},
		"mounts[0]: a link is in place of a mount": func(c *container.Config) {
			c.Mounts = []container.Mount{{Destination: "/a", Link: "b", Bind: true, Source: "/b"}}
		},
		"mounts[0]: neither a file system's type": func(c *container.Config) {
			c.Mounts = []container.Mount{{Destination: "/x"}}
		},
		"mounts[0]: a bind mount without": func(c *container.Config) {
			c.Mounts = []container.Mount{{Destination: "/x", Bind: true}}
		},
	} {
		cfg := minimal()
		mutate(&cfg)
		if _, err := plan(&cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestFullPlanHoldsEveryStage checks that some step carries out every stage that child.go declares: in a container of
// its own, and what is only for a process that joins one there.
func TestFullPlanHoldsEveryStage(t *testing.T) {
	cfg := full()
	cfg.Process.SELinuxLabel = "system_u:system_r:container_t:s0"
	cfg.Process.Seccomp = &container.Seccomp{Filter: make([]byte, unix.SizeofSockFilter), Listener: true}
	steps, err := plan(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	joining, err := planJoin(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[stage]bool{}
	for _, s := range slices.Concat(steps, joining) {
		seen[s.stage()] = true
	}
	all := stages(t)
	if len(all) < 30 {
		t.Fatalf("only the stages %q were found", all)
	}
	for _, s := range all {
		if !seen[s] {
			t.Errorf("no step of stage %q", s)
		}
	}
}

// stages returns the constants of type stage in child.go.
func stages(t *testing.T) (all []stage) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "child.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if kind, ok := v.Type.(*ast.Ident); ok && kind.Name == "stage" {
				name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, stage(name))
			}
		}
		return true
	})
	return all
}

// TestConfigThroughValue checks that a configuration is unchanged after its way through the data model.
func TestConfigThroughValue(t *testing.T) {
	want := full()
	v, err := syncproto.ToValue(want)
	if err != nil {
		t.Fatal(err)
	}
	var got container.Config
	if err := syncproto.FromValue(v, &got, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ env, want []string }{
		{[]string{"A=1", "HOME=/h", "A=2"}, []string{"HOME=/h", "A=2"}},
		{[]string{"HOME="}, []string{"HOME=/"}},
		{[]string{"HOME=/x", "HOME="}, []string{"HOME=/"}},
		{[]string{"HOME=", "HOME=/x"}, []string{"HOME=/x"}},
		{nil, []string{"HOME=/"}},
	} {
		k := &child{root: emptyRoot(t)}
		k.cfg.Process.Env = c.env
		if err := k.environment(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, k.env); diff != "" {
			t.Errorf("%q: %s", c.env, diff)
		}
	}
}

func TestHomeOf(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\n" +
		"1000:x:0:0::/wrong:\nu:x:1000:1000::/home/u:/bin/sh\nrel:x:7:7::rel:/x"
	for uid, want := range map[uint32]string{0: "/root", 1000: "/home/u", 7: "/", 5: "/"} {
		if got := homeOf(passwd, uid); got != want {
			t.Errorf("uid %d: %q, want %q", uid, got, want)
		}
	}
}

func TestSysctlPath(t *testing.T) {
	for key, want := range map[string]string{"net.ipv4.ip_forward": "net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/1.forwarding": "net/ipv4/conf/eth0.1/forwarding"} {
		if got := sysctlPath(key); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
}

func TestState(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"a"}`: `{"status":"creating","pid":`,
		``:           `{"status":"creating","pid":`,
		`{}`:         `{"status":"creating","pid":`,
	} {
		k := &child{}
		k.cfg.State = in
		got := string(k.state("creating"))
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "}") || strings.Contains(got, ",}") ||
			strings.Count(got, "{") != 1 {
			t.Errorf("%q: %s", in, got)
		}
	}
}

func TestHookRuns(t *testing.T) {
	for _, c := range []struct {
		script  string
		timeout int64
		want    string // expected in the error; empty: no error
		is      error
	}{
		{`test "$(cat)" = '{"x":1}' && test "$0" = name && test -z "$HOME$A"`, 0, "", nil},
		{"echo some; echo words >&2; exit 3", 0, "/bin/sh: exit status 3: some words", nil},
		{"kill -9 $$", 0, "signal 9", nil},
		{"exec sleep 60", 1, "killed after its timeout of 1 s", unix.ETIMEDOUT},
	} {
		err := runHook(&container.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", c.script, "name"}, Timeout: c.timeout},
			nil, []byte(`{"x":1}`), [2]int{})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.script, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is)):
			t.Errorf("%s: %v, want %q", c.script, err, c.want)
		}
	}
	if err := runHook(&container.Hook{Path: "/no/such/hook"}, nil, nil, [2]int{}); !errors.Is(err, unix.ENOENT) ||
		!strings.Contains(err.Error(), "/no/such/hook") {
		t.Errorf("a hook that is not there: %v", err)
	}
}
