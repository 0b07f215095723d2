package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// call makes the system call n with the arguments of the command line, and prints its result or errno. A word before
// the arguments selects the ABI: "x32" sets the bit of that architecture, "i386" uses interrupt 0x80.
func call(n int64) error {
	var a [6]uintptr
	how, args := "", os.Args[3:]
	if len(args) > 0 && (args[0] == "x32" || args[0] == "i386") {
		how, args = args[0], args[1:]
	}
	for i, s := range args {
		v, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			return err
		}
		a[i] = uintptr(v)
	}
	goruntime.LockOSThread()
	go whileAlive(unix.Gettid())
	fmt.Println("calling")
	var r uintptr
	var errno syscall.Errno
	switch how {
	case "i386":
		if r = interrupt(uint32(n)); int(r) < 0 {
			errno = syscall.Errno(-int(r))
		}
	case "x32":
		n |= 0x40000000 // __X32_SYSCALL_BIT of <asm/unistd.h>
		fallthrough
	default:
		r, _, errno = unix.RawSyscall6(uintptr(n), a[0], a[1], a[2], a[3], a[4], a[5])
	}
	if errno != 0 {
		fmt.Println("errno", int(errno))
		return nil
	}
	fmt.Println("result", int(r))
	return nil
}

// whileAlive ends the process when the thread tid has ended. A filter can end a single thread, and the others would
// continue.
func whileAlive(tid int) {
	for {
		data, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
		_, state, _ := strings.Cut(string(data), ") ")
		if err != nil || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X") {
			fmt.Println("thread ended")
			os.Exit(3)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// interrupt makes a system call of i386 without arguments, by interrupt 0x80. A kernel without CONFIG_IA32_EMULATION
// has no such calls, and the interrupt faults.
func interrupt(n uint32) (result uintptr) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			fmt.Println(noEmulation)
			os.Exit(0)
		}
	}()
	code, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	copy(code, []byte{0xb8, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), // mov eax, n
		0xcd, 0x80, // int 0x80
		0x48, 0x98, // cdqe
		0xc3}) // ret
	entry := &code[0]
	f := &entry
	return (*(*func() uintptr)(unsafe.Pointer(&f)))()
}

// noEmulation is printed by a program that cannot make calls of i386.
const noEmulation = "no emulation"

// rule is one entry of linux.seccomp.syscalls.
func rule(action string, errno int, names ...string) map[string]any {
	r := map[string]any{"names": names, "action": action}
	if errno >= 0 {
		r["errnoRet"] = errno
	}
	return r
}

// profile is linux.seccomp.
func profile(otherwise string, rules ...map[string]any) map[string]any {
	return map[string]any{"defaultAction": otherwise, "architectures": []any{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
		"SCMP_ARCH_X32"}, "syscalls": rules}
}

// dockerProfile returns the profile that Docker writes for a container without further privileges.
func dockerProfile(t testing.TB) map[string]any {
	t.Helper()
	data, err := os.ReadFile("../internal/oci/testdata/clients/docker-1.config.json")
	var c map[string]any
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return linux(c)["seccomp"].(map[string]any)
}

// bundleWithCall returns a bundle whose program makes one system call under a profile.
func bundleWithCall(t testing.TB, p map[string]any, args ...string) string {
	t.Helper()
	bundle := bundleWithWork(t, testenv.ID(t), nil, append([]string{"call"}, args...)...)
	edit(t, bundle, func(c map[string]any) { linux(c)["seccomp"] = p })
	return bundle
}

func amd64(t testing.TB) {
	t.Helper()
	if goruntime.GOARCH != "amd64" {
		t.Skip("the calls of other architectures are those that an x86_64 kernel takes")
	}
}

// killedBySYS is the exit status of run for a process that SIGSYS has ended, as in a shell.
const killedBySYS = 128 + int(unix.SIGSYS)

// TestSeccompActions: each action has the effect that the specification describes, however the container is created.
func TestSeccompActions(t *testing.T) {
	r := newRuntime(t)
	nr := strconv.Itoa(unix.SYS_GETPRIORITY) // nothing of a Go program needs it
	for _, c := range []struct {
		name   string
		p      map[string]any
		out    string
		status int
	}{
		{"allowed", profile("SCMP_ACT_ALLOW"), "result 20\n", 0},
		{"errno", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 33, "getpriority")), "errno 33\n", 0},
		{"errno without a number", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", -1, "getpriority")), "errno 1\n",
			0},
		{"errno of the default", map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 5,
			"syscalls": []any{rule("SCMP_ACT_ERRNO", -1, "getpriority")}}, "errno 1\n", 0},
		{"log", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_LOG", -1, "getpriority")), "result 20\n", 0},
		{"kill process", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_KILL_PROCESS", -1, "getpriority")), "", killedBySYS},
		{"kill thread", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_KILL_THREAD", -1, "getpriority")), "thread ended\n",
			3},
		// Go's runtime catches the signal and reports it
		{"trap", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_TRAP", -1, "getpriority")), "", 2},
		{"trace without a tracer", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_TRACE", 7, "getpriority")), "errno 38\n",
			0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			id := testenv.ID(t)
			o := r.do("run", "-b", bundleWithCall(t, c.p, nr, "0", "0"), id)
			if o.stdout != "calling\n"+c.out || o.status != c.status || (o.stderr != "") != (c.name == "trap") {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestSeccompLog: calls with SCMP_ACT_LOG are in the kernel's log.
func TestSeccompLog(t *testing.T) {
	log, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := os.Stat("/proc/self/loginuid"); err != nil {
		t.Skip("this kernel is built without CONFIG_AUDIT, by which filters log")
	}
	if _, err := log.Seek(0, 2); err != nil {
		t.Fatal(err)
	}
	r := newRuntime(t)
	nr := strconv.Itoa(unix.SYS_GETPRIORITY)
	p := profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_LOG", -1, "getpriority"))
	if o := r.do("run", "-b", bundleWithCall(t, p, nr, "0", "0"), testenv.ID(t)); o.stdout != "calling\nresult 20\n" {
		t.Fatalf("%+v", o)
	}
	want := "type=1326 " // AUDIT_SECCOMP of <linux/audit.h>
	buf := make([]byte, 8192)
	eventually(t, "a line of the audit", func() bool {
		for {
			n, err := unix.Read(int(log.Fd()), buf)
			if err != nil {
				return false
			}
			if line := string(buf[:n]); strings.Contains(line, want) && strings.Contains(line, "syscall="+nr+" ") {
				return true
			}
		}
	})
}

// TestSeccompTrace: a tracer gets the call with the rule's number.
func TestSeccompTrace(t *testing.T) {
	r, id := newRuntime(t), testenv.ID(t)
	// Only shell builtins, so that the first process makes the call.
	bundle := shell(t, "read x </gate; umask 7; echo end; read x </gate", func(c map[string]any) {
		linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_TRACE", 77, "umask"))
	})
	gate := filepath.Join(rootOf(t, bundle), "gate")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := r.command("run", "--detach", "-b", bundle, id)
	out, err := os.Create(filepath.Join(bundle, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	defer r.ok("delete", "--force", id)
	goruntime.LockOSThread() // a tracer is a thread
	defer goruntime.UnlockOSThread()
	pid := int(r.stateOf(id)["pid"].(float64))
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, unix.PTRACE_O_TRACESECCOMP, 0, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	if err := os.WriteFile(gate, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	eventually(t, "a stop of the traced process", func() bool {
		p, err := unix.Wait4(pid, &status, unix.WALL|unix.WNOHANG, nil)
		return p == pid && err == nil
	})
	data, err := unix.PtraceGetEventMsg(pid)
	if status.StopSignal() != unix.SIGTRAP || int(status)>>16 != unix.PTRACE_EVENT_SECCOMP || data != 77 || err != nil {
		t.Errorf("status %#x, data %d, %v", status, data, err)
	}
	if err := unix.PtraceDetach(pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end", func() bool {
		said, _ := os.ReadFile(out.Name())
		return string(said) == "end\n"
	})
}

// TestSeccompArchitectures: a rule does not allow calls with another architecture's numbers, and no call of an
// architecture that the profile does not list is allowed.
func TestSeccompArchitectures(t *testing.T) {
	amd64(t)
	r := newRuntime(t)
	deny := rule("SCMP_ACT_ERRNO", 33, "getppid")
	native := profile("SCMP_ACT_ALLOW", deny)
	native["architectures"] = []any{"SCMP_ARCH_X86_64"}
	for _, c := range []struct {
		name   string
		p      map[string]any
		call   string
		how    []string
		out    string
		status int
	}{
		{"native", profile("SCMP_ACT_ALLOW", deny), "110", nil, "errno 33\n", 0},
		{"x32", profile("SCMP_ACT_ALLOW", deny), "110", []string{"x32"}, "errno 33\n", 0},
		{"i386", profile("SCMP_ACT_ALLOW", deny), "64", []string{"i386"}, "errno 33\n", 0},
		{"i386 allowed", profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 33, "mkdir")), "64", []string{"i386"},
			"result 0\n", 0},
		{"x32 unnamed", native, "110", []string{"x32"}, "thread ended\n", 3},
		{"i386 unnamed", native, "64", []string{"i386"}, "thread ended\n", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			o := r.do("run", "-b", bundleWithCall(t, c.p, append([]string{c.call}, c.how...)...), testenv.ID(t))
			if o.stdout == "calling\n"+noEmulation+"\n" && strings.HasPrefix(c.name, "i386") {
				return // no call is allowed there
			}
			if o.stdout != "calling\n"+c.out || o.status != c.status || o.stderr != "" {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestSeccompDocker uses Docker's default profile unchanged: calls that it allows work, others are EPERM, and a call
// newer than the profile is ENOSYS, so that a C library falls back to an older one.
func TestSeccompDocker(t *testing.T) {
	amd64(t)
	r := newRuntime(t)
	p := dockerProfile(t)
	for name, c := range map[string]struct{ call, arg, out string }{
		"getpriority": {strconv.Itoa(unix.SYS_GETPRIORITY), "0", "result 20\n"},
		"kexec_load":  {strconv.Itoa(unix.SYS_KEXEC_LOAD), "0", "errno 1\n"},
		"unshare":     {strconv.Itoa(unix.SYS_UNSHARE), strconv.Itoa(unix.CLONE_NEWUSER), "errno 1\n"},
		"newer":       {"1000", "0", "errno 38\n"},
		"personality": {strconv.Itoa(unix.SYS_PERSONALITY), "0xffffffff", "result 0\n"},
		"arguments":   {strconv.Itoa(unix.SYS_PERSONALITY), "0x40", "errno 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.t = t
			bundle := bundleWithCall(t, p, c.call, c.arg)
			edit(t, bundle, func(c map[string]any) { process(c)["noNewPrivileges"] = false })
			if o := r.do("run", "-b", bundle, testenv.ID(t)); o.stdout != "calling\n"+c.out || o.status != 0 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestSeccompEverywhere: the filter applies to processes of create and start and of exec, with and without
// no_new_privs, as root, as another user, and in a user namespace; and the program has the same capabilities as without
// a filter.
func TestSeccompEverywhere(t *testing.T) {
	r := newRuntime(t)
	denied := profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 33, "mkdir", "mkdirat"))
	const try = confinement + "; mkdir /tmp/denied 2>&1; true"
	for _, privs := range []bool{true, false} {
		for _, uid := range []int{0, 1000} {
			for _, mapped := range []bool{false, true} {
				t.Run(fmt.Sprintf("no_new_privs=%t uid=%d userns=%t", privs, uid, mapped), func(t *testing.T) {
					r := *r
					r.t = t
					var seen [2]string
					for i, p := range []map[string]any{nil, denied} {
						id := testenv.ID(t)
						bundle := shell(t, try+"; echo end; exec sleep 1000", func(c map[string]any) {
							process(c)["noNewPrivileges"] = privs
							process(c)["user"] = map[string]any{"uid": uid, "gid": uid}
							if mapped {
								testenv.MapIDs(c, hostIDs, 2000)
							}
							if p != nil {
								linux(c)["seccomp"] = p
							}
						})
						out := r.detached(id, bundle, "create", "start")
						seen[i] = out
						if o := r.do("exec", id, "/bin/sh", "-c", try); i == 1 && (o.stdout != out || o.stderr != "") {
							t.Errorf("exec: %+v, the first process: %s", o, out)
						}
						r.ok("delete", "--force", id)
					}
					head, said, _ := strings.Cut(seen[1], "mkdir: ")
					if want := strings.Replace(seen[0], "Seccomp:\t0", "Seccomp:\t2", 1); !strings.HasPrefix(want,
						head) || !strings.Contains(head, "Seccomp:\t2") {
						t.Errorf("under a filter:\n%s\nwithout one:\n%s", seen[1], seen[0])
					}
					if !strings.Contains(said, "argument out of domain") {
						t.Errorf("mkdir: %q", said)
					}
				})
			}
		}
	}
}

// detached creates a container and returns its output before the line "end".
func (r *runtime) detached(id, bundle string, commands ...string) string {
	r.t.Helper()
	out, err := os.Create(filepath.Join(bundle, "out"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	cmd := r.command(commands[0], "-b", bundle, id)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		r.t.Fatalf("%s: %v: %s", commands[0], err, said)
	}
	for _, c := range commands[1:] {
		r.ok(c, id)
	}
	var seen string
	eventually(r.t, "the end of what the container says", func() (whole bool) {
		data, _ := os.ReadFile(out.Name())
		seen, whole = strings.CutSuffix(string(data), "end\n")
		return whole
	})
	return seen
}

// TestSeccompRefused: an invalid profile is an error of one line that names the property, before anything is created;
// exec ends with 255.
func TestSeccompRefused(t *testing.T) {
	r := newRuntime(t)
	for _, c := range []struct {
		p     map[string]any
		words []string
	}{
		{profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 1, "execve")), []string{"config.json: linux.seccomp: ",
			"the profile does not allow execve"}},
		{profile("SCMP_ACT_ERRNO", rule("SCMP_ACT_ALLOW", -1, "execve")), []string{"the profile does not allow write"}},
		{profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ALLOWED", -1, "execve")), []string{"linux.seccomp.syscalls[0].action",
			"SCMP_ACT_ALLOWED"}},
		{map[string]any{"defaultAction": "SCMP_ACT_ALLOW", "flags": []any{"SECCOMP_FILTER_FLAG_X"}},
			[]string{"linux.seccomp.flags[0]"}},
	} {
		r.fails(c.words, "run", "-b", shell(t, "true", func(config map[string]any) { linux(config)["seccomp"] = c.p }),
			testenv.ID(t))
	}
}

// TestSeccompTight: the runtime only needs the profile to allow the execution, and write(2) to report that it failed.
func TestSeccompTight(t *testing.T) {
	r := newRuntime(t)
	names := []string{"execve", "write", "read", "exit_group", "brk", "arch_prctl", "set_tid_address",
		"set_robust_list", "rseq", "prlimit64",
		"readlink", "readlinkat", "getrandom", "mprotect", "ioctl", "getuid", "geteuid", "setuid",
		"fstat", "newfstatat", "prctl", "mmap", "munmap"}
	p := profile("SCMP_ACT_KILL_PROCESS", rule("SCMP_ACT_ALLOW", -1, names...))
	for _, privs := range []bool{true, false} {
		id := testenv.ID(t)
		bundle := shell(t, "", func(c map[string]any) {
			testenv.SetArgs(c, "/bin/echo", "tight")
			process(c)["noNewPrivileges"] = privs
			linux(c)["seccomp"] = p
		})
		if o := r.do("run", "-b", bundle, id); o != (outcome{stdout: "tight\n"}) {
			t.Errorf("%+v", o)
		}
	}
}

// TestSeccompOfAPlainUser: a user without privileges, in a user namespace of its own.
func TestSeccompOfAPlainUser(t *testing.T) {
	dir, asUser := plainUserBundle(t)
	for _, privs := range []bool{true, false} {
		edit(t, dir, func(c map[string]any) {
			process(c)["terminal"], process(c)["noNewPrivileges"] = false, privs
			linux(c)["seccomp"] = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", 33, "mkdir", "mkdirat"))
			testenv.SetArgs(c, "sh", "-c", "mkdir /tmp/x 2>&1; exit 9")
		})
		if o := finish(t, asUser("run", testenv.ID(t))); o.status != 9 || o.stderr != "" || !strings.Contains(o.stdout,
			"argument out of domain") {
			t.Errorf("%+v", o)
		}
	}
}
