package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// specOptions are the mount options in runtime-spec config.md, "Linux mount options", and the additional ones of
// runc and crun that are supported.
const specOptions = `async atime bind defaults dev diratime dirsync exec idmap iversion lazytime loud mand
	noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime
	nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount rexec ridmap
	rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro
	rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw
	shared silent slave strictatime suid symfollow sync tmpcopyup unbindable copy-symlink
	src-nofollow dest-nofollow`

// understood reports whether Plan handles an option itself, so that the option is neither refused nor passed to
// the file system.
func understood(t *testing.T, option string) bool {
	t.Helper()
	spec := new(Spec)
	text := mountWith(`"`+option+`"`, `"source": "/", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}],
		"gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]`)
	if !strings.Contains(option, "idmap") {
		text = mountWith(`"`+option+`"`, `"source": "/"`)
	}
	if err := json.Unmarshal([]byte(text), spec); err != nil {
		t.Fatal(err)
	}
	spec.Version, spec.Root = Version, &Root{Path: "/"}
	out, err := Plan(spec, Options{Bundle: "/", ID: "x"})
	var property *PropertyError
	if errors.As(err, &property) {
		return true // Plan knows the option and refuses its use here
	}
	return err == nil && len(out.Spawn.Container.Mounts) == 1 && !slices.Contains(out.Spawn.Container.Mounts[0].Data,
		option)
}

// TestFeaturesMountOptions checks that every option in the features is understood, and that every understood
// option is in the features.
func TestFeaturesMountOptions(t *testing.T) {
	told := KnownFeatures().MountOptions
	if !slices.IsSorted(told) || len(slices.Compact(slices.Clone(told))) != len(told) {
		t.Errorf("not in order, or twice: %q", told)
	}
	for _, o := range told {
		if !understood(t, o) {
			t.Errorf("%s is told, and Plan does not know it", o)
		}
		if !slices.Contains(strings.Fields(specOptions), o) {
			t.Errorf("%s is told, and stands in no specification", o)
		}
	}
	for _, o := range strings.Fields(specOptions) {
		if understood(t, o) != slices.Contains(told, o) {
			t.Errorf("%s: understood %t, told %t", o, understood(t, o), slices.Contains(told, o))
		}
	}
	if understood(t, "mode=755") {
		t.Error("everything is understood")
	}
}

func TestFeaturesHooksAndNamespaces(t *testing.T) {
	f := KnownFeatures()
	var fields []string
	for i := range reflect.TypeFor[Hooks]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Hooks]().Field(i).Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	if !slices.Equal(f.Hooks, fields) {
		t.Errorf("hooks: told %q, read %q", f.Hooks, fields)
	}
	for _, name := range f.Hooks {
		out := planOf(t, Options{}, `{"hooks": {"`+name+`": [{"path": "/hook"}]}}`)
		h := out.Spawn.Container.Hooks
		if n := len(out.Hooks.Prestart) + len(out.Hooks.CreateRuntime) + len(out.Hooks.Poststart) + len(out.Hooks.Poststop) +
			len(h.CreateContainer) + len(h.StartContainer); n != 1 {
			t.Errorf("a hook %s becomes %d hooks", name, n)
		}
	}
	for _, kind := range []string{"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time", "net", "mnt"} {
		err := convertErr(t, fmt.Sprintf(`{"linux": {"namespaces": [{"type": %q, "path": "/proc/self/ns/x"}]}}`, kind))
		if known := err == nil; known != slices.Contains(f.Linux.Namespaces, kind) {
			t.Errorf("namespace %s: told %t, converted %v", kind, !known, err)
		}
	}
}

func convertErr(t *testing.T, config string) error {
	t.Helper()
	spec := &Spec{}
	if err := json.Unmarshal([]byte(config), spec); err != nil {
		t.Fatal(err)
	}
	spec.Version, spec.Root = Version, &Root{Path: "/"}
	_, err := Plan(spec, Options{Bundle: "/", ID: "x"})
	return err
}

func TestFeaturesCapabilities(t *testing.T) {
	told := KnownFeatures().Linux.Capabilities
	if len(told) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d capabilities are told, there are %d", len(told), unix.CAP_LAST_CAP+1)
	}
	for n, name := range told {
		if CapabilityNumber(name) != n {
			t.Errorf("%s is %d, want %d", name, CapabilityNumber(name), n)
		}
	}
}

// TestFeaturesOfProperties checks that every property in the features is converted.
func TestFeaturesOfProperties(t *testing.T) {
	l := KnownFeatures().Linux
	for name, c := range map[string]struct {
		told   bool
		config string
	}{
		"netDevices": {l.NetDevices != nil && l.NetDevices.Enabled,
			`{"linux": {"namespaces": [{"type": "network"}], "netDevices": {"eth0": {"name": "eth1"}}}}`},
		"memoryPolicy": {l.MemoryPolicy != nil, `{"linux": {"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0"}}}`},
		"intelRdt":     {l.IntelRdt.Enabled, `{"linux": {"intelRdt": {"closID": "x", "l3CacheSchema": "L3:0=f"}}}`},
		"schemata":     {l.IntelRdt.Schemata, `{"linux": {"intelRdt": {"closID": "x", "schemata": ["L3:0=f"]}}}`},
		"monitoring":   {l.IntelRdt.Monitoring, `{"linux": {"intelRdt": {"closID": "x", "enableMonitoring": true}}}`},
		"idmap": {l.MountExtensions.IDMap.Enabled, mountWith(`"rbind"`,
			`"source": "/", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]`)},
		"rdma": {l.Cgroup.Rdma, `{"linux": {"resources": {"rdma": {"mlx5_1": {"hcaHandles": 3}}}}}`},
	} {
		if err := convertErr(t, c.config); c.told != (err == nil) {
			t.Errorf("%s: told %t, converted %v", name, c.told, err)
		}
	}
}

// mountWith returns a configuration with one mount.
func mountWith(options, members string) string {
	return `{"linux": {"namespaces": [{"type": "mount"}]}, "mounts": [{"destination": "/x", "type": "tmpfs",
		"options": [` + options + `], ` + members + `}]}`
}
