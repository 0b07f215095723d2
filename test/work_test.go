package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv"
)

// worker is the path in a container of this test binary, which then does what its arguments say.
const worker = "/bin/work"

// work is called first in the test binary: in a container it runs a workload.
func work() {
	if len(os.Args) < 3 || os.Args[0] != worker {
		return
	}
	n, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err == nil {
		err = map[string]func(int64) error{"hog": allocate, "fork": fork, "spin": spin, "write": write, "pages": pages,
			"where": reportProcessors, "call": call}[os.Args[1]](n)
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(70)
	}
	os.Exit(0)
}

// allocate allocates n MiB of memory and keeps them.
func allocate(n int64) error {
	b, err := unix.Mmap(-1, 0, int(n)<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	for i := 0; err == nil && i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	fmt.Println("survived")
	return err
}

// fork starts up to n processes that keep running, and prints how many it could start.
func fork(n int64) error {
	started := 0
	for range n {
		cmd := exec.Command("/bin/sleep", "1000")
		if cmd.Start() == nil {
			started++
		}
	}
	fmt.Println("forked", started)
	return nil
}

// spin uses the processor for n seconds, beginning at the next even second, and prints how many milliseconds of it the
// process got.
func spin(n int64) error {
	begin := time.Now().Truncate(2 * time.Second).Add(4 * time.Second)
	time.Sleep(time.Until(begin))
	before := cpuMillis()
	for time.Since(begin) < time.Duration(n)*time.Second {
	}
	fmt.Println("spun", cpuMillis()-before)
	return nil
}

func cpuMillis() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return (u.Utime.Nano() + u.Stime.Nano()) / 1e6
}

// write writes n MiB past the page cache to the file in the next argument, and prints how many milliseconds that took.
func write(n int64) error {
	fd, err := unix.Open(os.Args[3], unix.O_WRONLY|unix.O_CREAT|unix.O_DIRECT, 0o600)
	if err != nil {
		return err
	}
	b, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON) // aligned
	if err != nil {
		return err
	}
	began := time.Now()
	for range n {
		for at := 0; at < len(b); at += 64 << 10 {
			if _, err := unix.Write(fd, b[at:at+64<<10]); err != nil {
				return err
			}
		}
	}
	fmt.Println("wrote", time.Since(began).Milliseconds())
	return nil
}

// pages allocates huge pages of 2 MiB one by one, up to n, and prints how many it got.
func pages(n int64) error {
	taken := 0
	for range n {
		b, err := unix.Mmap(-1, 0, 2<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_HUGETLB)
		if err != nil {
			break
		}
		b[0] = 1
		taken++
	}
	fmt.Println("took", taken)
	return nil
}

// reportProcessors runs four threads for n milliseconds and prints on which processors they ran.
func reportProcessors(n int64) error {
	var all sync.WaitGroup
	var seen [64]bool
	var mu sync.Mutex
	for range 4 {
		all.Go(func() {
			goruntime.LockOSThread()
			for end := time.Now().Add(time.Duration(n) * time.Millisecond); time.Now().Before(end); {
				var cpu uint32
				_, _, _ = unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
				mu.Lock()
				seen[cpu%64] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	text := "ran on"
	for cpu, was := range seen {
		if was {
			text += fmt.Sprint(" ", cpu)
		}
	}
	fmt.Println(text)
	return nil
}

// bundleWithWork returns a bundle whose container runs a workload in a group of its own.
func bundleWithWork(t testing.TB, id string, resources map[string]any, args ...string) string {
	t.Helper()
	return testenv.Bundle(t, testenv.Busybox(t), func(c map[string]any) {
		testenv.SetArgs(c, append([]string{worker}, args...)...)
		inOwnGroup(id, resources)(c)
		// The program is bound, not copied, because it is large.
		self, err := os.Readlink("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		root := c["root"].(map[string]any)["path"].(string)
		if err := os.WriteFile(filepath.Join(root, worker), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		addMount(c, worker, "bind", self, "bind", "ro")
	})
}

// result runs a container to its end and returns the number, or the words, after the given word.
func (r *runtime) result(bundle, id, word string) string {
	r.t.Helper()
	o := r.do("run", "-b", bundle, id)
	text, ok := strings.CutPrefix(strings.TrimSpace(o.stdout), word+" ")
	if o.status != 0 || o.stderr != "" || !ok {
		r.t.Fatalf("want %q: %+v", word, o)
	}
	return text
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
