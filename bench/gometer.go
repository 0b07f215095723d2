package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// meterCommand makes this program its own meter, if there is no C compiler.
const meterCommand = "meter"

// goMeter does what meter/meter.c does and prints the same lines. Its own memory is part of the peak (meter.c says
// why).
func goMeter(argv []string) int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "meter:", err)
		return 1
	}
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(os.Stdin, one); err != nil {
			return 0
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stderr = os.Stderr
		begin := time.Now()
		err := cmd.Run()
		wall := time.Since(begin)
		if cmd.ProcessState == nil {
			fmt.Fprintln(os.Stderr, "meter:", err)
			return 1
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		user, system, peak := microseconds(usage.Utime), microseconds(usage.Stime), usage.Maxrss
		stragglers := 0
		for range 1000 {
			var more syscall.Rusage
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, &more)
			if err != nil {
				break
			}
			if pid == 0 {
				time.Sleep(time.Millisecond)
				continue
			}
			stragglers++
			user += microseconds(more.Utime)
			system += microseconds(more.Stime)
			peak = max(peak, more.Maxrss)
		}
		fmt.Println(wall.Nanoseconds(), user, system, peak, int(cmd.ProcessState.Sys().(syscall.WaitStatus)), stragglers)
	}
}

func microseconds(t syscall.Timeval) int64 { return int64(t.Sec)*1e6 + int64(t.Usec) }
