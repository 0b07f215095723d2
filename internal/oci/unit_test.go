package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/handfast/handfast/cgroupfs/systemd"
)

// TestUnit checks that, if systemd creates the group, cgroupsPath and the annotation determine the unit, and the
// unit determines the group.
func TestUnit(t *testing.T) {
	system, user := &Systemd{}, &Systemd{User: true, Base: "/user.slice/user-7.slice/user@7.service"}
	for _, c := range []struct {
		host *Systemd
		spec string
		unit systemd.Unit
		path string
	}{
		{system, `{"linux": {"cgroupsPath": "a-b.slice:p:n"}}`, systemd.Unit{Slice: "a-b.slice", Name: "p-n.scope"},
			"/a.slice/a-b.slice/p-n.scope"},
		{system, `{}`, systemd.Unit{Slice: "system.slice", Name: "handfast-x.scope"}, "/system.slice/handfast-x.scope"},
		{user, `{}`, systemd.Unit{Slice: "user.slice", Name: "handfast-x.scope"}, user.Base + "/user.slice/handfast-x.scope"},
		{system, `{"annotations": {"run.oci.systemd.subgroup": "inner"}}`, systemd.Unit{Slice: "system.slice",
			Name: "handfast-x.scope", Sub: "inner"}, "/system.slice/handfast-x.scope"},
	} {
		out, err := Plan(spec(t, c.spec), Options{Bundle: "/b", ID: "x", Host: Host{Systemd: c.host}})
		if err != nil || *out.Unit != c.unit || out.CgroupPath != c.path {
			t.Errorf("%s: %+v, %v", c.spec, out, err)
		}
	}
	for in, want := range map[string]string{
		`{"linux": {"cgroupsPath": "/a"}}`: "linux.cgroupsPath: expected cgroupsPath to be of format " +
			"\"slice:prefix:name\" for systemd cgroups, got \"/a\"",
		`{"linux": {"cgroupsPath": "a--b.slice:p:n"}}`:                    "linux.cgroupsPath: slice",
		`{"annotations": {"run.oci.systemd.subgroup": "../a"}}`:           "annotations.run.oci.systemd.subgroup: group",
		`{"annotations": {"run.oci.systemd.subgroup": "cgroup.threads"}}`: "annotations.run.oci.systemd.subgroup: group",
	} {
		_, err := Plan(spec(t, in), Options{Bundle: "/b", ID: "x", Host: Host{Systemd: system}})
		var wrong *PropertyError
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v; want %q", in, err, want)
		}
	}
}
