package spawn

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/syncproto/container"
)

// What a Config says and nobody would do is an error that names it.
func TestPlanRefusesWhatWouldBeDropped(t *testing.T) {
	alone := []IDMap{{ContainerID: 0, HostID: 1000, Size: 1}}
	for want, edit := range map[string]func(*Config){
		"AdditionalGIDs cannot be set beside it": func(c *Config) {
			c.Container.Process.KeepGroups, c.Container.Process.AdditionalGIDs = true, []uint32{7}
		},
		"AdditionalGIDs [7] cannot be set: a plain user's own mapping": func(c *Config) {
			c.Container.Process.AdditionalGIDs = []uint32{7}
			c.Namespaces, c.UIDMappings, c.GIDMappings = []Namespace{{Kind: container.NSUser}}, alone, alone
		},
		"there is no Handler to run hooks":        func(c *Config) { c.Container.Hooks.Runtime = true },
		`gate "gate.sock": want an absolute path`: func(c *Config) { c.Gate = "gate.sock" },
		"id mapping 0 1000 0: it maps no id":      func(c *Config) { c.UIDMappings = []IDMap{{HostID: 1000}} },
		"Terminal is false":                       func(c *Config) { c.Container.Process.Rows = 24 },
		"time offsets without a new time namespace": func(c *Config) {
			c.TimeOffsets = map[string]TimeOffset{"boottime": {}}
		},
		"time offsets without a new time namespace\n": func(c *Config) { joinTime(c) },
		`"realtime" is not a clock`: func(c *Config) {
			c.TimeOffsets = map[string]TimeOffset{"realtime": {Secs: 1}}
			c.Namespaces = []Namespace{{Kind: container.NSTime}}
		},
		"network devices without a network namespace": func(c *Config) { c.NetDevices = []NetDevice{{Name: "a"}} },
		`network device "b" as "x": a name is missing or occurs twice`: func(c *Config) {
			c.NetDevices = []NetDevice{{Name: "a", As: "x"}, {Name: "b", As: "x"}}
			c.Namespaces = []Namespace{{Kind: container.NSNetwork}}
		},
		"affinity: processor 8192 is more than 8191": func(c *Config) { c.Affinity = []uint32{8192} },
		"Container.Hostname is for a new container":  func(c *Config) { joining(c); c.Container.Hostname = "x" },
		"Container.Root is for a new container":      func(c *Config) { joining(c); c.Container.Root.Path = "/x" },
		"Container.Hooks is for a new container": func(c *Config) {
			joining(c)
			c.Container.Hooks.CreateContainer = make([]container.Hook, 1)
		},
		"Container.Mounts is for a new container": func(c *Config) {
			joining(c)
			c.Container.Mounts = make([]container.Mount, 1)
		},
	} {
		cfg := &Config{}
		edit(cfg)
		if _, err := planOf(cfg, false); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func joining(c *Config) { c.Target = &Target{PIDFD: os.Stdin} }

func joinTime(c *Config) {
	c.TimeOffsets = map[string]TimeOffset{"boottime": {}}
	c.Namespaces = []Namespace{{Kind: container.NSTime, Path: "/proc/1/ns/time"}}
}

// Every field of a Container reaches CONFIG: one that was added here alone would be dropped without a word.
func TestContainerTravelsWhole(t *testing.T) {
	var c Container
	fill(reflect.ValueOf(&c).Elem())
	told := reflect.ValueOf(c.containerConfig())
	for i := range reflect.ValueOf(c).NumField() {
		name := reflect.TypeFor[Container]().Field(i).Name
		if diff := cmp.Diff(reflect.ValueOf(c).Field(i).Interface(), told.FieldByName(name).Interface()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, computed := range []string{"Namespaces", "KeepFDs", "GateFD", "Loopback", "SetGroupsDenied"} {
		if _, found := reflect.TypeFor[Container]().FieldByName(computed); found {
			t.Errorf("%s is Start's to say", computed)
		}
	}
}

// fill gives each field a value that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}
