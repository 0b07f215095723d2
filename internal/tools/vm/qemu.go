package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// qemuArgs returns the emulator's arguments for a boot. Everything that the guest writes to its disks is lost when
// it ends.
func qemuArgs(m machine, payload, kernelLog string, b *boot, interactive bool) []string {
	words := []string{
		"console=ttyS0", "panic=-1", "quiet", "loglevel=4", "mitigations=off", "apparmor=1", "security=apparmor",
		"handfast.boot=" + b.name, "handfast.init=" + b.init, "handfast.cgroups=" + b.cgroups,
	}
	if interactive {
		words = append(words, "handfast.shell=1")
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "2", "-m", "2048",
		"-kernel", m.kernel, "-initrd", m.initramfs, "-append", strings.Join(words, " "),
		"-serial", "file:" + kernelLog,
		"-chardev", "stdio,id=jobs,signal=off", "-serial", "chardev:jobs",
	}
	for _, image := range []string{m.system, payload, m.service} {
		args = append(args, "-drive", "if=virtio,format=raw,snapshot=on,file="+image)
	}
	return args
}

// errHung says that a boot did not end in time.
var errHung = errors.New("the boot did not end in its time")

// emulate runs the machine until it ends, and copies its output to out. The emulator ends when ctx is done, and
// whenever this process ends. The kernel's messages go to the file kernelLog.
func emulate(ctx context.Context, args []string, limit time.Duration, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errHung)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("qemu-system-x86_64: %w", err)
	}
	return nil
}

// enter runs the machine with a shell on this terminal.
func enter(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// tail returns the last lines of a file, for people to read.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(strings.ReplaceAll(string(data), "\r", ""), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// runBoot starts the machine once and evaluates its output.
func runBoot(ctx context.Context, m machine, payload, dir string, b *boot, only string) (*verdict, error) {
	kernelLog := filepath.Join(dir, b.name+".kernel")
	v := newVerdict(b.jobs(only), only != "")
	out := &lineWriter{line: func(line string) {
		if v.read(line) {
			fmt.Println(line)
		}
	}}
	began := time.Now()
	err := emulate(ctx, qemuArgs(m, payload, kernelLog, b, false), b.limit, out)
	out.flush()
	if errors.Is(err, errHung) {
		err = fmt.Errorf("%w (%s); it was in %s, and said last:\n%s", err, b.limit, v.where(), strings.Join(v.last, "\n"))
	}
	if err = errors.Join(err, v.err()); err != nil {
		return v, fmt.Errorf("boot %s: %w\nthe kernel said last:\n%s", b.name, err, tail(kernelLog, 30))
	}
	say("boot %s: %s, in %s", b.name, v.summary(), time.Since(began).Round(time.Second))
	return v, nil
}
