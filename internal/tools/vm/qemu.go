package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// qemuArgs returns the emulator's arguments for a boot. Everything that the guest writes to its disks is lost when
// it ends.
func qemuArgs(g guest, kernelLog string, b *boot, interactive bool) []string {
	words := []string{
		"console=" + b.arch.console, "panic=-1", "quiet", "loglevel=4", "mitigations=off", "apparmor=1", "security=apparmor",
		"handfast.boot=" + b.name, "handfast.init=" + b.init, "handfast.cgroups=" + b.cgroups,
		"handfast.console=/dev/" + b.arch.jobs,
	}
	if interactive {
		words = append(words, "handfast.shell=1")
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048",
		"-kernel", g.kernel, "-initrd", g.initramfs, "-append", strings.Join(words, " "),
		"-serial", "file:" + kernelLog,
		"-chardev", "stdio,id=jobs,signal=off",
	}
	args = slices.Concat(args, b.arch.machine, b.arch.line)
	for _, image := range []string{g.system, g.payload, g.service} {
		if image != "" {
			args = append(args, "-drive", "if=virtio,format=raw,snapshot=on,file="+image)
		}
	}
	return args
}

// errHung says that a boot did not end in time.
var errHung = errors.New("the boot did not end in its time")

// emulate runs the machine until it ends, and copies its output to out. The emulator ends when ctx is done, and
// whenever this process ends.
func emulate(ctx context.Context, emulator string, args []string, limit time.Duration, out io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errHung)
	defer cancel()
	cmd := exec.CommandContext(ctx, emulator, args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", emulator, err)
	}
	return nil
}

// enter runs the machine with a shell on this terminal.
func enter(ctx context.Context, emulator string, args []string) error {
	cmd := exec.CommandContext(ctx, emulator, args...)
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
func runBoot(ctx context.Context, g guest, dir string, b *boot, only string) (*verdict, error) {
	kernelLog := filepath.Join(dir, b.name+".kernel")
	v := newVerdict(b.jobs(only), only != "")
	out := &lineWriter{line: func(line string) {
		if v.read(line) {
			fmt.Println(line)
		}
	}}
	began := time.Now()
	err := emulate(ctx, b.arch.emulator, qemuArgs(g, kernelLog, b, false), b.limit, out)
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
