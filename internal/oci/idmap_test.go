package oci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/syncproto/container"
)

// TestMountMappings covers a mount's own mappings, the container's mappings, and errors.
func TestMountMappings(t *testing.T) {
	const own = `"uidMappings": [{"containerID": 1, "hostID": 2, "size": 3}], "gidMappings": [{"hostID": 5, "size": 1}]`
	const joined = `{"linux": {"namespaces": [{"type": "mount"}, {"type": "user", "path": "/x"}]}}`
	const plain = `{"linux": {"uidMappings": [{"hostID": 7, "size": 1}], "gidMappings": [{"hostID": 8, "size": 1}]}}`
	mine := &container.MountIDs{
		UIDs: []container.IDRange{{Container: 1, Host: 2, Size: 3}}, GIDs: []container.IDRange{{Host: 5, Size: 1}},
	}
	for _, c := range []struct {
		base, mount string
		want        *container.MountIDs
		err         string
	}{
		{`{}`, `"source": "/a", "options": ["bind"], ` + own, mine, ""},
		{`{}`, `"type": "tmpfs", ` + own, mine, ""},
		{`{}`, `"type": "overlay", "options": ["idmap"], ` + own, mine, ""},
		{userNamespace, `"type": "tmpfs", "options": ["idmap"]`, &container.MountIDs{}, ""},
		{userNamespace, `"source": "/a", "options": ["rbind", "ridmap"]`, &container.MountIDs{Recursive: true}, ""},
		{joined, `"source": "/a", "options": ["rbind", "ridmap"]`, &container.MountIDs{Recursive: true}, ""},
		{plain, `"source": "/a", "options": ["bind", "idmap"]`, &container.MountIDs{
			UIDs: []container.IDRange{{Host: 7, Size: 1}}, GIDs: []container.IDRange{{Host: 8, Size: 1}}}, ""},
		{`{}`, `"source": "/a", "options": ["bind"]`, nil, ""},
		{`{}`,
			`"source": "/a", "options": ["bind", "idmap"]`, nil,
			"mounts[0].options: idmap needs uidMappings and gidMappings, of the mount or of linux"},
		{`{}`, `"type": "proc", ` + own, nil, "mounts[0]: a file system of type proc takes no mappings of its owners"},
		{`{}`,
			`"type": "tmpfs", "uidMappings": [{"size": 1}]`, nil,
			"mounts[0].gidMappings: missing; want both, or neither, of uidMappings and gidMappings"},
		{`{}`,
			`"type": "tmpfs", "gidMappings": [{"size": 1}]`, nil,
			"mounts[0].uidMappings: missing; want both, or neither, of uidMappings and gidMappings"},
		{`{}`,
			`"type": "tmpfs", "uidMappings": [{"size": 0}]`, nil, "mounts[0].uidMappings[0].size: 0; want at least 1"},
		{`{}`, `"type": "tmpfs", "uidMappings": [{"size": 9}, {"containerID": 8, "hostID": 100, "size": 1}]`, nil,
			"mounts[0].uidMappings[1]: container ids 8 to 8 overlap with those of mounts[0].uidMappings[0]"},
		{`{}`,
			`"type": "tmpfs", "uidMappings": 7`, nil,
			"mounts[0].uidMappings: want a list of mappings with containerID, hostID and size"},
	} {
		out, err := Plan(spec(t, c.base, `{"mounts": [{"destination": "/m", `+c.mount+`}]}`),
			Options{Bundle: "/b", ID: "x"})
		if got := text(err); got != c.err && (c.err == "" || !strings.HasPrefix(got, c.err)) {
			t.Errorf("%s\ngot  %s\nwant %s", c.mount, got, c.err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(c.want, out.Spawn.Container.Mounts[0].IDs); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.mount, diff)
		}
	}
}
