package nsinit

import (
	"path/filepath"
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
	c.Mounts[4].CopyUp = false
	c.Process.Env = []string{"PATH=/usr/bin:/bin", "TERM=xterm"}
	c.Process.Args, c.Process.Keyring = []string{"sh", "-c", "true"}, "_ses.c"
	c.Process.NoNewPrivs, c.Process.Capabilities.Bounding = true, 1<<5|1<<8
	c.Process.Capabilities.Permitted, c.Process.Capabilities.Effective = 1<<5, 1<<5
	c.Process.Seccomp = &container.Seccomp{Filter: make([]byte, 16), Flags: unix.SECCOMP_FILTER_FLAG_LOG}
	return c
}

func TestCompileGolden(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this build has whole children alone")
	}
	cfg := usual()
	p, err := Compile("init", &cfg)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "program", "usual.txt"), p.String())
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(b), "bytes")
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
