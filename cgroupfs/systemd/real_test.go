package systemd

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// TestRealSystemd talks with the systemd of this host, by the bus and by its own socket, again and again: every
// connection is answered, and systemd means what the errors take it to mean.
func TestRealSystemd(t *testing.T) {
	testenv.Root(t)
	comm, err := os.ReadFile("/proc/1/comm")
	if err != nil {
		t.Fatal(err)
	}
	if name := strings.TrimSpace(string(comm)); name != "systemd" {
		t.Skipf("process 1 is %s, not systemd: make test-vm runs this test in a virtual machine where it is", name)
	}
	absent := Unit{Slice: systemSlice, Name: "handfast-absent.scope"}
	for _, address := range []string{"", "unix:path=/nonexistent/bus"} {
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
		for range 200 {
			m, err := Open(t.Context(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if m.Version() < 200 || m.Base() != "" || m.conn.bus != (address == "") {
				t.Errorf("version %d, base %q", m.Version(), m.Base())
			}
			m.Close()
		}
		m, err := Open(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := errors.Join(m.Stop(t.Context(), absent), m.ResetFailed(t.Context(), absent)); err != nil {
			t.Error(err)
		}
		for _, err := range []error{m.Set(t.Context(), absent, []Property{{"TasksMax", uint64v(5)}}),
			m.Attach(t.Context(), absent, "", os.Getpid())} {
			if !errors.Is(err, unix.ENOENT) || !strings.Contains(err.Error(), absent.Name) {
				t.Errorf("%v", err)
			}
		}
		if err := m.Start(t.Context(), absent, []Property{{"NoSuchProperty", boolean(true)}}); err == nil {
			t.Error("a property that is not was taken")
		}
	}
}
