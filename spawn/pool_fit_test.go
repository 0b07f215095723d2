package spawn

import (
	"context"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"
	"github.com/handfast/handfast/syncproto/transport"
)

// group is a Cgroup that can be compared.
type group struct{ name string }

func (*group) FD() int         { return -1 }
func (*group) Inherited() bool { return false }
func (*group) Enter() error    { return nil }

// odd is one that cannot.
type odd struct{ names []string }

func (odd) FD() int         { return -1 }
func (odd) Inherited() bool { return false }
func (odd) Enter() error    { return nil }

// fixed changes each field that is decided when a member is made; chosen changes those that a start decides.
var fixed = map[string]func(*Config){
	"Target":      func(c *Config) { c.Target = &Target{} },
	"Namespaces":  func(c *Config) { c.Namespaces = append(c.Namespaces, Namespace{Kind: container.NSUTS}) },
	"UIDMappings": func(c *Config) { c.UIDMappings = []IDMap{{Size: 1}} },
	"GIDMappings": func(c *Config) { c.GIDMappings = []IDMap{{Size: 1}} },
	"TimeOffsets": func(c *Config) { c.TimeOffsets = map[string]TimeOffset{"boottime": {Secs: 1}} },
	"PreserveFDs": func(c *Config) { c.PreserveFDs = 1 },
	"Cgroup":      func(c *Config) { c.Cgroup = &group{} },
	"Affinity":    func(c *Config) { c.Affinity = []uint32{1} },
	"Init":        func(c *Config) { c.Init = []string{"/bin/other"} },
}

var chosen = map[string]func(*Config){
	"Container":   func(c *Config) { c.Container.ID, c.Container.Process.Args = "other", []string{"/bin/other"} },
	"NetDevices":  func(c *Config) { c.NetDevices = []NetDevice{{Name: "x"}} },
	"OOMScoreAdj": func(c *Config) { c.OOMScoreAdj = new(int) },
	"Files":       func(c *Config) { c.Files[1] = os.Stderr },
	"HookFiles":   func(c *Config) { c.HookFiles[0] = os.Stderr },
	"Gate":        func(c *Config) { c.Gate = "/gate" },
	"Handler":     func(c *Config) { c.Handler = struct{ Handler }{} },
	"Listener":    func(c *Config) { c.Listener = func(context.Context, int, *os.File) error { return nil } },
	"Deadlines":   func(c *Config) { c.Deadlines.Idle = time.Hour },
	"Codec":       func(c *Config) { c.Codec = codec.JSON() },
	"Compile": func(c *Config) {
		c.Compile = func(string, *container.Config) (*smallchild.Program, error) { return nil, nil }
	},
	"Trace": func(c *Config) { c.Trace = func(transport.Event) {} },
}

// Every field of a Config is either fixed by the template or chosen by the start, and an error names one that is fixed.
func TestFit(t *testing.T) {
	template := Config{Namespaces: []Namespace{{Kind: container.NSPid}}, Cgroup: &group{"functions"}}
	if err := fit(&template, &template); err != nil {
		t.Fatalf("the template itself: %v", err)
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		name := reflect.TypeFor[Config]().Field(i).Name
		edit, is := fixed[name]
		if !is {
			edit = chosen[name]
		}
		if edit == nil {
			t.Errorf("%s is new: decide in fit whether a start may choose it", name)
			continue
		}
		cfg := template
		cfg.Namespaces = slices.Clone(template.Namespaces)
		edit(&cfg)
		err := fit(&template, &cfg)
		if is && (err == nil || !strings.Contains(err.Error(), "Config."+name+" ")) {
			t.Errorf("another %s: %v, want an error that names it", name, err)
		}
		if !is && err != nil {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// What the children of other programs cannot do is fixed for them.
func TestFitOfAnotherProgram(t *testing.T) {
	template := Config{Init: []string{"/bin/init"}, Files: [3]*os.File{nil, os.Stdout}}
	cfg := template
	if err := fit(&template, &cfg); err != nil {
		t.Error(err)
	}
	cfg.Files[1] = os.Stderr
	if err := fit(&template, &cfg); err == nil || !strings.Contains(err.Error(), "Config.Files ") {
		t.Errorf("other streams: %v", err)
	}
}

// In a new user namespace a member has no groups any more, unless the template keeps them.
func TestFitOfKeptGroups(t *testing.T) {
	keeping := func(keep, users bool) *Config {
		c := new(Config)
		if c.Container.Process.KeepGroups = keep; users {
			c.UIDMappings, c.GIDMappings = []IDMap{{Size: 1}}, []IDMap{{Size: 1}}
		}
		return c
	}
	for _, c := range []struct{ template, start, users, fits bool }{
		{false, true, true, false}, {true, false, true, true}, {true, true, true, true}, {false, true, false, true},
	} {
		err := fit(keeping(c.template, c.users), keeping(c.start, c.users))
		if fits := err == nil; fits != c.fits ||
			!fits && !strings.Contains(err.Error(), "Config.Container.Process.KeepGroups ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestFitOfGroups(t *testing.T) {
	one := &group{"a"}
	for _, c := range []struct {
		a, b Cgroup
		same bool
	}{
		{nil, nil, true}, {one, one, true}, {one, nil, false}, {nil, one, false}, {one, &group{"a"}, false},
		{odd{[]string{"a"}}, odd{[]string{"a"}}, false}, {odd{}, one, false},
	} {
		if got := sameGroup(c.a, c.b); got != c.same {
			t.Errorf("%v and %v are the same: %t, want %t", c.a, c.b, got, c.same)
		}
	}
}

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		failures int
		want     time.Duration
	}{
		{-1, 0}, {0, 0}, {1, 50 * time.Millisecond}, {2, 100 * time.Millisecond}, {8, 6400 * time.Millisecond},
		{9, 10 * time.Second}, {1 << 30, 10 * time.Second},
	} {
		if got := delay(c.failures); got != c.want {
			t.Errorf("after %d failures: %v, want %v", c.failures, got, c.want)
		}
	}
}
