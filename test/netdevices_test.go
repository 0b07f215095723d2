package test

import (
	"fmt"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/faults"
	"github.com/handfast/handfast/internal/testenv"
)

// network is a network namespace of one test, in which its runtime runs.
type network struct {
	t    *testing.T
	path string // of a descriptor of this process
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	testenv.Tool(t, "nsenter", "util-linux")
	opened := make(chan *os.File)
	go func() {
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var f *os.File
		if unix.Unshare(unix.CLONE_NEWNET) == nil {
			f, _ = os.Open("/proc/thread-self/ns/net")
		}
		opened <- f
	}()
	f := <-opened
	if f == nil {
		t.Fatal("no network namespace")
	}
	t.Cleanup(func() { _ = f.Close() })
	return &network{t, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())}
}

// in makes a command run in the namespace.
func (n *network) in(cmd *exec.Cmd) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + n.path, "--"}, cmd.Args...)...)
}

// ip runs busybox's ip(8) there, and returns its output.
func (n *network) ip(args ...string) string {
	n.t.Helper()
	busybox := testenv.Tool(n.t, "busybox", "busybox-static")
	out, err := n.in(exec.Command(busybox, append([]string{"ip"}, args...)...)).CombinedOutput()
	if err != nil {
		n.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
	return string(out)
}

// device creates one end of a veth pair with two addresses and other attributes.
func (n *network) device(name string) {
	n.t.Helper()
	n.ip("link", "add", name, "type", "veth")
	n.ip("link", "set", name, "address", "02:00:00:00:00:07", "mtu", "1400", "up")
	n.ip("addr", "add", "192.0.2.7/24", "dev", name)
	n.ip("addr", "add", "2001:db8::7/64", "dev", name)
}

// wantDevice checks that the output of ip(8) for a device has everything that device set.
func wantDevice(t *testing.T, what, text string) {
	t.Helper()
	for _, w := range []string{"02:00:00:00:00:07", "mtu 1400", ",UP", "192.0.2.7/24", "2001:db8::7/64"} {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %q in\n%s", what, w, text)
		}
	}
}

// netDevices returns a mutation that adds devices to a configuration.
func netDevices(user bool, devices map[string]string) func(c map[string]any) {
	return func(c map[string]any) {
		all := map[string]any{}
		for name, as := range devices {
			all[name] = map[string]any{"name": as}
		}
		linux(c)["netDevices"] = all
		if user {
			testenv.MapIDs(c, hostIDs, 65536)
		}
	}
}

// TestNetDevices (NS15): a device of the host moves into the container's network namespace, gets the configured name,
// keeps its addresses, hardware address and MTU, and is up.
func TestNetDevices(t *testing.T) {
	r, n := newRuntime(t), newNetwork(t)
	r.wrap = n.in
	for _, user := range []bool{false, true} {
		n.device("hft0")
		n.device("hft2")
		id, _ := r.sleeper(netDevices(user, map[string]string{"hft0": "eth%d", "hft2": ""}))
		wantDevice(t, "eth0 in the container", r.inside(id, "ip addr show eth0"))
		wantDevice(t, "hft2 in the container", r.inside(id, "ip addr show hft2"))
		if all := n.ip("link"); strings.Contains(all, "hft0:") || strings.Contains(all, "hft0@") {
			t.Errorf("still on the host:\n%s", all)
		}
		r.ok("delete", "--force", id)
		// a veth pair ends with either end
		eventually(t, "the namespace and its devices have ended", func() bool {
			return !strings.Contains(n.ip("link"), "veth")
		})
	}
}

// TestNetDevicesOfANamespaceThatIsJoined: in a joined namespace they stay when the container has ended.
func TestNetDevicesOfANamespaceThatIsJoined(t *testing.T) {
	r, n, theirs := newRuntime(t), newNetwork(t), newNetwork(t)
	r.wrap = n.in
	n.device("hft0")
	bundle := shell(t, "ip addr show eth0", func(c map[string]any) {
		netDevices(false, map[string]string{"hft0": "eth0"})(c)
		setNamespace(c, "network", theirs.path)
	})
	o := r.do("run", "-b", bundle, testenv.ID(t))
	if wantDevice(t, "eth0 in the container", o.stdout); o.status != 0 {
		t.Errorf("%+v", o)
	}
	wantDevice(t, "eth0 after it", theirs.ip("addr", "show", "eth0"))
}

// TestNetDevicesComeBack: however a start fails, no device is lost: each is back with its name and addresses, and up.
func TestNetDevicesComeBack(t *testing.T) {
	r, n := newRuntime(t), newNetwork(t)
	r.wrap = n.in
	n.device("hft0")
	for _, c := range []struct {
		name  string
		edit  func(c map[string]any)
		words []string
	}{
		{"a hook fails", func(c map[string]any) {
			netDevices(false, map[string]string{"hft0": "eth0"})(c)
			setHook(c, "createRuntime", 0, "/bin/false")
		}, []string{"createRuntime", "/bin/false"}},
		{"the program is missing, with a user namespace", func(c map[string]any) {
			netDevices(true, map[string]string{"hft0": ""})(c)
			testenv.SetArgs(c, "/bin/nothing")
		}, []string{"/bin/nothing"}},
		{"another device is missing", netDevices(false, map[string]string{"hft0": "eth0", "hft9": ""}),
			[]string{"network device hft9", "RTM_GETLINK hft9: no such device"}},
		{"a name is taken", netDevices(false, map[string]string{"hft0": "lo"}),
			[]string{"network device hft0", "has one named lo", "file exists"}},
		{"a device that may not leave", netDevices(false, map[string]string{"hft0": "", "lo": "lo2"}),
			[]string{"network device lo", "RTM_NEWLINK IFLA_NET_NS_FD: invalid argument"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			r.fails(c.words, "run", "-b", shell(t, "true", c.edit), testenv.ID(t))
			wantDevice(t, "afterwards", n.ip("addr", "show", "hft0"))
		})
	}
}

// TestNetDevicesSurviveFaults: whichever message to the kernel fails, and wherever the child is killed, the devices are
// restored afterwards.
func TestNetDevicesSurviveFaults(t *testing.T) {
	r, n := newRuntime(t), newNetwork(t)
	r.wrap = n.in
	n.device("hft0")
	id := testenv.ID(t)
	bundle := shell(t, "true", func(c map[string]any) {
		netDevices(false, map[string]string{"hft0": "eth0"})(c)
		setHook(c, "createRuntime", 0, "/bin/false") // it never lives
	})
	check := func(report faults.Report, said string, f faults.Fault) {
		t.Helper()
		told := f.Errno() == 0 || report.Hit == nil || strings.Contains(said, f.Errno().Error())
		if report.Status.ExitStatus() == 0 || report.Hung || !told {
			t.Errorf("%v at %v: status %v, hung %v: %s", f, report.Hit, report.Status, report.Hung, said)
		}
		wantDevice(t, fmt.Sprint(f, " at ", report.Hit), n.ip("addr", "show", "hft0"))
		r.ok("delete", "--force", id)
	}
	report, said := r.faulty(faults.At{}, faults.None(), "run", "-b", bundle, id)
	check(report, said, faults.None())
	sent := 0
	for i, call := range report.Calls {
		switch {
		case call.Name == "sendto" && call.Own:
			sent++
		case !call.Own && i%sweepStep(t) == 0:
			report, said := r.faulty(faults.At{N: i + 1}, faults.Kill(), "run", "-b", bundle, id)
			check(report, said, faults.Kill())
		}
	}
	// The last messages move the device back. If one of those fails, the error says so, because nothing else can
	// restore it.
	const forward = 9 // names, link, addresses, down, move, link, two addresses and up
	if sent < forward {
		t.Fatalf("%d messages: %v", sent, report.Calls)
	}
	for i := 1; i <= forward; i++ {
		f := faults.Errno(unix.ENOBUFS)
		report, said := r.faulty(faults.At{Syscall: "sendto", N: i}, f, "run", "-b", bundle, id)
		check(report, said, f)
	}
}
