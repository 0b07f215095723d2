package test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestMountsWithMappings: the owners of files on a bind mount are those that its mappings give, in a user namespace and
// without one; beside it the same source is as it was.
func TestMountsWithMappings(t *testing.T) {
	r := newRuntime(t)
	source := testenv.Dir(t)
	for name, uid := range map[string]int{"root": 0, "seven": 7} {
		path := filepath.Join(source, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	mapping := func(host int) []any {
		return []any{map[string]any{"containerID": 0, "hostID": host, "size": 1000}}
	}
	const show = "stat -c %n:%u:%g /mapped/* /plain/*; touch /mapped/made; stat -c %u /mapped/made"
	for _, c := range []struct {
		name   string
		host   int
		userns bool
		option string
		want   string
	}{
		{"user namespace", hostIDs, true, "",
			"/mapped/root:0:0\n/mapped/seven:7:7\n/plain/root:65534:65534\n/plain/seven:65534:65534\n0\n"},
		{"the container's mappings", 0, true, "ridmap",
			"/mapped/root:0:0\n/mapped/seven:7:7\n/plain/root:65534:65534\n/plain/seven:65534:65534\n0\n"},
		{"no user namespace", 0, false, "",
			"/mapped/root:0:0\n/mapped/seven:7:7\n/plain/root:0:0\n/plain/seven:7:7\n0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			bundle := shell(t, show, func(config map[string]any) {
				options := []string{"rbind"}
				if c.option != "" {
					options = append(options, c.option)
				}
				addMount(config, "/mapped", "bind", source, options...)
				if mounts := list(config, "mounts"); c.option == "" {
					mounts[len(mounts)-1].(map[string]any)["uidMappings"] = mapping(c.host)
					mounts[len(mounts)-1].(map[string]any)["gidMappings"] = mapping(c.host)
				}
				addMount(config, "/plain", "bind", source, "bind")
				if c.userns {
					testenv.MapIDs(config, hostIDs, 1000)
				}
			})
			for _, place := range []string{"mapped", "plain"} {
				if err := os.Mkdir(filepath.Join(rootOf(t, bundle), place), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			o := r.do("run", "-b", bundle, testenv.ID(t))
			if o != (outcome{stdout: c.want}) {
				t.Errorf("%+v", o)
			}
			made := filepath.Join(source, "made")
			if info, err := os.Stat(made); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("on the host: %v", err)
			}
			_ = os.Remove(made)
		})
	}
	r.fails([]string{"mounts[6].gidMappings", "missing"}, "run", "-b", shell(t, "true", func(config map[string]any) {
		addMount(config, "/mapped", "bind", source, "bind")
		mounts := list(config, "mounts")
		mounts[len(mounts)-1].(map[string]any)["uidMappings"] = mapping(5)
	}), testenv.ID(t))
	// A file system that takes no mappings.
	r.fails([]string{"MOUNT_ATTR_IDMAP /proc", "invalid argument"}, "run", "-b", shell(t, "true",
		func(config map[string]any) {
			addMount(config, "/mapped", "bind", "/proc", "bind")
			mounts := list(config, "mounts")
			mounts[len(mounts)-1].(map[string]any)["uidMappings"] = mapping(5)
			mounts[len(mounts)-1].(map[string]any)["gidMappings"] = mapping(5)
		}), testenv.ID(t))
}
