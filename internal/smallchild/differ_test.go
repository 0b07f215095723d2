package smallchild

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/container"
)

// interpretVariable makes the test binary a child that interprets its program.
const interpretVariable = "HANDFAST_TEST_INTERPRET"

// realKernel is the kernel: its memory is where the small child has it.
type realKernel struct{}

func (realKernel) Call(nr uintptr, args ...uint64) (int64, bool) {
	var a [6]uintptr
	for n, v := range args {
		a[n] = uintptr(v)
	}
	r, _, errno := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return -int64(errno), true
	}
	return int64(r), true
}

// interpretForReal runs in a process that was started to interpret a program.
func interpretForReal() {
	if os.Getenv(interpretVariable) == "" {
		return
	}
	runtime.LockOSThread()
	var base uintptr = MemoryBase
	at := *(*unsafe.Pointer)(unsafe.Pointer(&base))
	got, err := unix.MmapPtr(-1, 0, at, MemorySize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE)
	if err == nil && got != at {
		err = unix.EEXIST
	}
	if err == nil {
		err = Interpret(realKernel{}, unsafe.Slice((*byte)(at), MemorySize), 3, container.InitProfile())
	}
	fmt.Fprintln(os.Stderr, "interpret:", err)
	os.Exit(2)
}

// seen is what can be seen of a child: every packet that it sends, its output, its end, and the files that it leaves.
type seen struct {
	Packets []string
	Output  string
	Status  syscall.WaitStatus
	Files   []string
}

// childFile returns the program of a child, and its environment. Its descriptor is none of those that a child gets.
func childFile(t testing.TB, machineCode bool) (exe *os.File, env []string) {
	t.Helper()
	var low int
	var err error
	if machineCode {
		low, err = unix.MemfdCreate("small", unix.MFD_CLOEXEC)
	} else {
		low, err = unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		env = []string{interpretVariable + "=1"}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(low)
	fd, err := unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		t.Fatal(err)
	}
	exe = os.NewFile(uintptr(fd), "child")
	if machineCode {
		if _, err := exe.Write(Image(container.InitProfile())); err != nil {
			t.Fatal(err)
		}
	}
	return exe, env
}

// fatal is what testing.T and rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// watch runs a child in an empty directory, with a parent that sends the frames one after the other: HELLO, CONFIG, and
// the others one for each request. descriptors are sent with CONFIG, which is the second of them. After the last one it
// closes its socket.
func watch(t fatal, exe *os.File, env []string, frames [][]byte, descriptors ...int) (s seen) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "child")
	must(err)
	defer os.RemoveAll(dir)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(err)
	null, err := os.Open(os.DevNull)
	must(err)
	defer null.Close()
	r, w, err := os.Pipe()
	must(err)
	defer r.Close()
	pid, _, err := syscall.StartProcess(fmt.Sprintf("/proc/self/fd/%d", exe.Fd()), []string{"small"}, &syscall.ProcAttr{
		Dir: dir, Env: append([]string{"HANDFAST", "HANDFAST_SOCKET=3"}, env...),
		Files: []uintptr{null.Fd(), w.Fd(), 2, uintptr(pair[1])},
	})
	_ = w.Close()
	_ = unix.Close(pair[1])
	if err != nil {
		_ = unix.Close(pair[0])
		t.Fatal(err)
	}
	packets := make(chan []string)
	go func() { packets <- converseWith(pair[0], frames, descriptors) }()
	output, err := io.ReadAll(r)
	s.Output = string(output)
	s.Packets = <-packets
	_, werr := syscall.Wait4(pid, &s.Status, 0, nil)
	must(err)
	must(werr)
	must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, _ := os.Readlink(path)
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if text = string(data); err != nil {
				return err
			}
		}
		s.Files = append(s.Files, fmt.Sprintf("%s %v %d %q", strings.TrimPrefix(path, dir), info.Mode(),
			info.Sys().(*syscall.Stat_t).Uid, text))
		return nil
	}))
	return s
}

// itsPID is the only thing that two children do not have in common.
var itsPID = regexp.MustCompile(`"pid":[0-9]+`)

// converseWith is the parent of watch. It closes the socket.
func converseWith(fd int, frames [][]byte, descriptors []int) (packets []string) {
	defer unix.Close(fd)
	send := func(n int) {
		var rights []byte
		if n == 1 && len(descriptors) > 0 {
			rights = unix.UnixRights(descriptors...)
		}
		if len(frames) > n {
			_ = unix.Sendmsg(fd, frames[n], rights, nil, unix.MSG_NOSIGNAL) // the child may have ended
		}
	}
	send(0)
	requests := 1
	for more := true; more; requests++ {
		send(requests)
		more = len(frames) > requests && frames[requests][4] == 1 // MORE
	}
	for buffer := make([]byte, 1<<17); ; {
		n, err := unix.Read(fd, buffer)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return packets
		}
		if packet := buffer[:n]; len(packets) > 0 {
			packets = append(packets, fmt.Sprintf("%q", packet))
		} else { // HELLO_ACK has the number of the process
			packets = append(packets, itsPID.ReplaceAllString(string(packet[min(n, syncproto.HeaderSize):]), `"pid":0`))
		}
		if n >= 4 && string(buffer[:3]) == "SY\x01" && buffer[3] == byte(syncproto.KindRequest) {
			if requests == len(frames) {
				return packets
			}
			send(requests)
			requests++
		}
	}
}

// conversation returns what a parent sends to a child: a program, and what comes back for its request.
func conversation(program []byte, replies ...[]byte) [][]byte {
	p := container.InitProfile()
	hello := frameOf(syncproto.KindHello, "{"+boot(p).expected+"}")
	return parentFrames(slices.Concat([][]byte{hello}, configOf(program), replies)...)
}

// replyTo returns a reply to the frame of the child that has the number re.
func replyTo(re byte, payload string) []byte {
	f := frameOf(syncproto.KindReply, payload)
	f[9] = re
	return f
}

// replies are those that a parent may give to the request of a program, and nothing at all.
func replies() [][][]byte {
	extra := replyTo(3, answer)
	extra[5] = 1 // a descriptor that does not come
	return [][][]byte{
		{replyTo(3, answer)}, {replyTo(3, answer)}, {replyTo(3, answer)}, {replyTo(2, answer)}, {replyTo(3, answer+"x")},
		{replyTo(3, strings.ToUpper(answer))}, {frameOf(syncproto.KindCancel, "{}")}, {frameOf(syncproto.KindNote, "")},
		{extra}, {[]byte("no frame")}, {},
	}
}

// TestMachineCodeIsLikeInterpreter: a program in machine code and in the interpreter says the same to its parent, ends
// in the same way, and leaves the same files.
func TestMachineCodeIsLikeInterpreter(t *testing.T) {
	if !Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	testenv.Root(t) // fchownat
	machine, machineEnv := childFile(t, true)
	defer machine.Close()
	interpreter, interpreterEnv := childFile(t, false)
	defer interpreter.Close()
	ends := map[syscall.WaitStatus]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := safeProgram(t)
		p.Str(strings.Repeat("x", rapid.SampledFrom([]int{0, 0, 0, 0, 40_000, 70_000, 250_000}).Draw(t, "more")))
		b, err := p.Encode()
		if err != nil {
			t.Fatalf("%v\n%s", err, p)
		}
		frames := conversation(b, rapid.SampledFrom(replies()).Draw(t, "reply")...)
		want := watch(t, interpreter, interpreterEnv, frames)
		got := watch(t, machine, machineEnv, frames)
		ends[got.Status]++
		if diff := cmp.Diff(want, got); diff != "" || len(got.Packets) < 2 {
			t.Fatalf("from the interpreter to the machine code:\n%s%s", diff, p)
		}
	})
	if len(ends) < 2 {
		t.Errorf("all programs end in the same way: %v", ends)
	}
}

// TestGateIsLikeInterpreter: whoever connects to the gate, both children treat them in the same way, up to the parent
// that is expected, to which they report an error.
func TestGateIsLikeInterpreter(t *testing.T) {
	if !Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	p := New()
	failed := p.Label()
	p.Word()
	p.Gate(Val(Config(2)), Int(-1)).On(failed)
	p.Call("chdir", unix.SYS_CHDIR, p.Str("/no/such")).On(failed)
	p.GiveUp()
	p.Place(failed)
	p.Report("[", "]", p.ErrorTexts(func(e unix.Errno) string { return e.Error() }, []unix.Errno{unix.EINVAL}, "other"))
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	hello, config := "{"+atGate().expected+"}", string(bytes.Repeat([]byte("\x93\x01\x02\xc0"), 70))
	more := frameOf(syncproto.KindConfig, config)
	more[4] = 1
	long := frameOf(syncproto.KindConfig, config)
	long[15]++
	visitors := [][][]byte{
		{[]byte("GET / HTTP/1.0\r\n\r\n")},
		{frameOf(syncproto.KindHello, hello[2:])},
		{frameOf(syncproto.KindHello, "")},
		parentFrames(frameOf(syncproto.KindConfig, hello)),
		parentFrames(frameOf(syncproto.KindHello, hello), more),
		parentFrames(frameOf(syncproto.KindHello, hello), long),
		parentFrames(frameOf(syncproto.KindHello, hello), frameOf(syncproto.KindCancel, "")),
		{frameOf(syncproto.KindHello, hello)}, // without a number
		parentFrames(frameOf(syncproto.KindHello, hello), frameOf(syncproto.KindConfig, config[:100])),
	}
	var all [2][]string
	for n, machineCode := range []bool{false, true} {
		exe, env := childFile(t, machineCode)
		defer exe.Close()
		listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(testenv.Dir(t), "gate")})
		if err != nil {
			t.Fatal(err)
		}
		file, err := listener.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		said := make(chan []string)
		go func() {
			var packets []string
			for _, frames := range visitors {
				packets = append(packets, visit(listener.Addr().String(), frames)...)
			}
			_ = listener.Close()
			said <- packets
		}()
		frames := conversation(b)
		frames[1][5] = 2 // descriptors
		s := watch(t, exe, env, frames, int(file.Fd()), int(file.Fd()))
		all[n] = append(append(s.Packets, <-said...), fmt.Sprint(s.Status))
	}
	if diff := cmp.Diff(all[0], all[1]); diff != "" || !strings.Contains(strings.Join(all[1], ""), "[other]") {
		t.Errorf("from the interpreter to the machine code, of which the last is to report an error:\n%s\n%q", diff, all[1])
	}
}

// TestGateEndsWithASignal: a signal that is blocked, and arrives at the descriptor, ends both children at the gate with
// the same status.
func TestGateEndsWithASignal(t *testing.T) {
	if !Available {
		t.Skip("this architecture, or this build, has no small child")
	}
	for _, signal := range []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM} {
		p := New()
		set, self, signals := p.Bytes(Words(1<<(signal-1)), "signals"), p.Reg(), p.Reg()
		p.Call("rt_sigprocmask", unix.SYS_RT_SIGPROCMASK, Int(unix.SIG_BLOCK), set, Int(0), Int(8))
		p.Call("signalfd4", unix.SYS_SIGNALFD4, Int(-1), set, Int(8), Int(unix.SFD_CLOEXEC)).Into(signals)
		p.Call("gettid", unix.SYS_GETTID).Into(self)
		p.Call("tkill", unix.SYS_TKILL, Val(self), Int(uint(signal)))
		p.Word()
		p.Gate(Val(Config(1)), Val(signals))
		p.GiveUp()
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(testenv.Dir(t), "gate")})
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		file, err := listener.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		frames := conversation(b)
		frames[1][5] = 1 // descriptors
		for _, machineCode := range []bool{false, true} {
			exe, env := childFile(t, machineCode)
			defer exe.Close()
			if s := watch(t, exe, env, frames, int(file.Fd())); s.Status.ExitStatus() != 128+int(signal) {
				t.Errorf("%v, in machine code %v: %v", signal, machineCode, s.Status)
			}
		}
	}
}

// visit connects to the gate, sends what a visitor has to say, and returns what comes back.
func visit(path string, frames [][]byte) (packets []string) {
	c, err := net.Dial("unixpacket", path)
	if err != nil {
		return []string{err.Error()}
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // so that a child that has died fails the test
	for _, f := range frames {
		if _, err := c.Write(f); err != nil {
			break // it was turned away
		}
	}
	for buffer := make([]byte, 1<<16); ; {
		n, err := c.Read(buffer)
		if err != nil {
			return append(packets, "end")
		}
		packets = append(packets, itsPID.ReplaceAllString(string(buffer[min(n, 16):n]), `"pid":0`))
	}
}
