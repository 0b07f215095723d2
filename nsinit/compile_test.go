//go:build amd64 || arm64

package nsinit

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/container"
)

// usual returns a configuration as container managers write it, limited to what the small child can carry out.
func usual() container.Config {
	c := full()
	c.Hooks, c.Process.Terminal, c.Process.Landlock, c.Process.Scheduler = container.Hooks{}, false, nil, nil
	c.Process.MemoryPolicy, c.Process.Personality, c.Process.IOPriority = nil, nil, 0
	c.Process.Processors, c.Process.ParentDeathSignal = nil, 0
	c.Process.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm"}
	c.Process.Args, c.Process.Keyring = []string{"sh", "-c", "true"}, "_ses.c"
	c.Process.NoNewPrivs, c.Process.Capabilities.Bounding = true, 1<<5|1<<8
	c.Process.Capabilities.Permitted, c.Process.Capabilities.Effective = 1<<5, 1<<5
	c.Process.Seccomp = &container.Seccomp{Filter: make([]byte, 16), Flags: unix.SECCOMP_FILTER_FLAG_LOG}
	return c
}

func TestCompileGolden(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this build has no small child")
	}
	// A terminal, and a user namespace whose root may not reach its sources.
	mapped := container.Config{
		Namespaces: []container.Namespace{{Kind: container.NSUser, How: container.NSCreated},
			{Kind: container.NSMount, How: container.NSCreated}},
		Root: container.Root{Path: "/bundle/rootfs", Propagation: unix.MS_SHARED | unix.MS_REC},
		Mounts: []container.Mount{{Destination: "/sys", Type: "sysfs", Source: "sysfs"},
			{Destination: "/data", Source: "/srv/data", Bind: true}},
		Devices: []container.Device{{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666}},
		Process: container.Process{Args: []string{"sh"}, Cwd: "/", Env: []string{"PATH=/bin", "HOME=/"}, Terminal: true,
			Rows: 24, Columns: 80, Capabilities: container.Capabilities{Ambient: 1<<0 | 1<<39}},
		SetGroupsDenied: true,
	}
	for name, cfg := range map[string]container.Config{"usual": usual(), "mapped": mapped} {
		p, err := Compile("init", &cfg)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", "program", runtime.GOARCH, name+".txt"), p.String())
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name, len(b), "bytes")
	}
}

func BenchmarkCompile(b *testing.B) {
	cfg := usual()
	b.ReportAllocs()
	for b.Loop() {
		p, err := Compile("init", &cfg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCompileBounds checks that a configuration of any size is refused before it takes much memory or time, and that
// no text can end earlier in the child than in the configuration.
func TestCompileBounds(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this build has no small child")
	}
	const many = 100_000
	names := func(separator string) string {
		var b strings.Builder
		for i := range many {
			fmt.Fprintf(&b, "/%d%s", i, separator)
		}
		return b.String()
	}
	for name, change := range map[string]func(c *container.Config){
		"directories in PATH": func(c *container.Config) { c.Process.Env = []string{"PATH=" + names(":") + "/b"} },
		"directories in PATH, on a terminal": func(c *container.Config) {
			c.Process.Terminal, c.Process.Env = true, []string{"PATH=" + names(":") + "/b"}
		},
		"the same one in PATH": func(c *container.Config) {
			c.Process.Env = []string{"PATH=" + strings.Repeat("/a:", many) + "/b"}
		},
		"directories in a path": func(c *container.Config) { c.Mounts[0].Destination = names("") },
		"mounts": func(c *container.Config) {
			for i := range many {
				c.Mounts = append(c.Mounts, container.Mount{Destination: fmt.Sprint("/m", i), Type: "tmpfs", Source: "tmpfs"})
			}
		},
		"masks": func(c *container.Config) {
			for i := range many {
				c.Masked = append(c.Masked, fmt.Sprint("/m", i))
			}
		},
		"options":     func(c *container.Config) { c.Mounts[0].Data = strings.Split(names(","), ",") },
		"groups":      func(c *container.Config) { c.Process.AdditionalGIDs = make([]uint32, many) },
		"arguments":   func(c *container.Config) { c.Process.Args = strings.Split(names(","), ",") },
		"an argument": func(c *container.Config) { c.Process.Args = append(c.Process.Args, names("")) },
		"limits": func(c *container.Config) {
			c.Process.Rlimits = append(make([]container.Rlimit, many), c.Process.Rlimits...)
		},
		"a zero byte in a source": func(c *container.Config) { c.Mounts[0].Source = "/etc\x00/other" },
		"a zero byte in a mask":   func(c *container.Config) { c.Masked = append(c.Masked, "/etc\x00/other") },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := usual()
			change(&cfg)
			p, err := Compile("init", &cfg)
			if err == nil {
				_, err = p.Encode()
			}
			want := smallchild.ErrTooLong.Error()
			if strings.HasPrefix(name, "a zero byte") {
				want = "holds a zero byte"
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}
