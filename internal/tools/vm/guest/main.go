// Command guest runs in the virtual machine of internal/tools/vm, as process 1 or as a service of systemd. It
// mounts what the boot requests, runs the boot's jobs one after the other, and turns the machine off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/tools/vm/job"
)

func main() {
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	unix.Sync()
	// With -no-reboot the emulator exits instead, and needs no ACPI driver for that.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func run() error {
	os.Clearenv()
	for _, e := range environment() {
		name, value, _ := strings.Cut(e, "=")
		os.Setenv(name, value)
	}
	first := os.Getpid() == 1
	if first {
		if err := mountBase(); err != nil {
			return err
		}
	}
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	console, err := openConsole(option(string(cmdline), "handfast.console"))
	if err != nil {
		return err
	}
	os.Stdout, os.Stderr = console, console
	boot := option(string(cmdline), "handfast.boot")
	if first {
		if err := mountGroups(option(string(cmdline), "handfast.cgroups")); err != nil {
			return err
		}
	}
	if err := prepare(); err != nil {
		return err
	}
	if option(string(cmdline), "handfast.shell") != "" {
		return shell(console)
	}
	return runJobs(console, boot)
}

// option returns the value of a word name=value of the kernel's command line, or "".
func option(cmdline, name string) string {
	for word := range strings.FieldsSeq(cmdline) {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
	}
	return ""
}

func runJobs(console *os.File, boot string) error {
	data, err := os.ReadFile(job.List(boot))
	if err != nil {
		return err
	}
	var jobs []job.Job
	if err := json.Unmarshal(data, &jobs); err != nil {
		return fmt.Errorf("%s: %w", job.List(boot), err)
	}
	for _, j := range jobs {
		fmt.Fprintln(console, job.Begin(j.Name))
		out := &endings{Writer: console}
		status, err := runJob(out, j)
		if err != nil {
			fmt.Fprintln(out, "guest:", err)
		}
		out.finish()
		fmt.Fprintln(console, job.End(j.Name, status))
	}
	fmt.Fprintln(console, job.Done())
	return nil
}

func environment() []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + job.Bin,
		"HOME=/root", "LANG=C.UTF-8", "TERM=linux",
		"HANDFAST_TEST_BIN=" + job.Bin, "HANDFAST_TEST_VM=1",
	}
}
