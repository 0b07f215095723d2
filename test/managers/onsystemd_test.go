package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestOnSystemd runs the exercises of onSystemd with handfast and with runc, which must print the same.
func TestOnSystemd(t *testing.T) {
	if os.Getenv("HANDFAST_TEST_VM") == "" {
		t.Skip("mounts over directories of the host, so it only runs in the virtual machine: " +
			"make test-vm VM='-boot managers'")
	}
	// The package's own has the socket that those of the exercises are to have.
	if out, err := exec.Command("systemctl", "stop", "containerd.service").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rows, err := parseDifferences(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range onSystemd() {
		t.Run(m.name, func(t *testing.T) {
			var records [2]record
			for n, r := range []runtime{runtimeOf(controlName, "/usr/sbin/runc"), runtimeOf(handfastName, testenv.Binary(t))} {
				var err error
				if records[n], err = carryOut(m, r, m.lines); err != nil {
					t.Errorf("%s: %v", r.name, err)
				}
				// What furnish has mounted, and what the manager has mounted there.
				for _, dir := range slices.Concat([]string{"/tmp/shared"}, emptied, []string{"/etc", "/run/upper/etc"}) {
					if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
						t.Fatalf("%s: unmounting %s: %v", r.name, dir, err)
					}
				}
			}
			t.Log(records[1].Version)
			v := judge(m, records[0], records[1], rows)
			for _, f := range v.faults {
				t.Error(f)
			}
			for _, s := range v.stale(rows) {
				t.Errorf("explains nothing any more: %s", s)
			}
		})
	}
}
