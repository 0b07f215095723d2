package oci

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/smallchild"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/container"
)

// TestClientsChildren checks that the configuration alone decides which child each of the clients' configurations
// gets, and that a program for the small child can be encoded.
func TestClientsChildren(t *testing.T) {
	if !smallchild.Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	var b bytes.Buffer
	for _, c := range clientSpecs(t) {
		out, err := Plan(c.spec, Options{Bundle: "/bundle", ID: "ctr", Host: testHost()})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %s\n", c.name, childOf(t, &out.Spawn))
	}
	golden.Compare(t, "testdata/golden/children.txt", b.Bytes())
}

func childOf(t *testing.T, cfg *spawn.Config) string {
	t.Helper()
	told := configOfChild(cfg)
	p, err := nsinit.Compile("init", told)
	if err != nil {
		return "whole: " + err.Error()
	}
	program, err := p.Encode()
	if err != nil {
		return "whole: " + err.Error()
	}
	again, err := nsinit.Compile("init", told)
	if err != nil || again.String() != p.String() {
		t.Errorf("not the same program twice: %v", err)
	}
	return fmt.Sprintf("small, %d bytes", len(program))
}

// told returns approximately what the parent sends to the child.
func configOfChild(cfg *spawn.Config) *container.Config {
	c := cfg.Container
	told := &container.Config{ID: c.ID, Root: c.Root, Hostname: c.Hostname, Domainname: c.Domainname, Sysctl: c.Sysctl,
		Mounts: c.Mounts, Devices: c.Devices, Masked: c.Masked, Readonly: c.Readonly, MountLabel: c.MountLabel,
		Hooks: c.Hooks, Process: c.Process}
	for _, n := range cfg.Namespaces {
		how := container.NSCreated
		switch {
		case n.Kind == container.NSCgroup && n.Path == "":
			how = container.NSUnshare
		case n.Kind == container.NSMount && n.Path != "":
			how = container.NSJoin
		}
		told.Namespaces = append(told.Namespaces, container.Namespace{Kind: n.Kind, How: how})
	}
	return told
}
