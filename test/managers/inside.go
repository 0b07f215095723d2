package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/testenv/room"
)

// insideArg is the first argument of the process that carries out an exercise in its room.
const insideArg = "inside"

// patience is the longest time for one line of an exercise.
const patience = 2 * time.Minute

// exercise runs the exercise of a manager with a runtime, in a room. built is the directory of what was built for it.
func exercise(ctx context.Context, m manager, r runtime, built string, o options) (record, error) {
	stdout, stderr, err := room.Room{
		Name: m.name + "-" + r.name, Network: true,
		Args: []string{"/proc/self/exe", insideArg, m.name, r.name, r.file, o.line},
		Env:  []string{builtEnv + "=" + built},
	}.Run(ctx)
	if o.output != "" {
		file := filepath.Join(o.output, m.name+"-"+r.name)
		err = errors.Join(err, os.WriteFile(file+".log", stderr, 0o644), os.WriteFile(file+".json", stdout, 0o644))
	}
	var done record
	if err == nil {
		err = json.Unmarshal(stdout, &done)
	}
	if err != nil {
		return record{}, fmt.Errorf("%s with %s: %w\n%s", m.name, r.name, err, tail(string(stderr)))
	}
	return done, nil
}

// tail returns the end of a text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// inside is the program in the room: it sets up the manager, runs the exercise, and prints the record as JSON.
func inside(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("%d arguments", len(args))
	}
	r := runtimeOf(args[1], args[2])
	if err := bringIn(); err != nil {
		return err
	}
	for _, m := range managers() {
		if m.name != args[0] {
			continue
		}
		done, err := carryOut(m, r, m.chosen(args[3]))
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(done)
	}
	return fmt.Errorf("no manager is called %s", args[0])
}

func carryOut(m manager, r runtime, lines []line) (done record, err error) {
	for _, p := range m.programs {
		if _, err := exec.LookPath(p); err != nil {
			return done, fmt.Errorf("%w (test/setup.sh clients installs it on Debian)", err)
		}
	}
	if err := furnish(r); err != nil {
		return done, err
	}
	for path, text := range m.files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return done, err
		}
		if err := os.WriteFile(path, []byte(r.adapt(text)), 0o644); err != nil {
			return done, err
		}
	}
	if m.daemon != "" {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		daemon := shell(ctx, r, m.daemon)
		daemon.Stdout, daemon.Stderr = os.Stderr, os.Stderr
		if err := daemon.Start(); err != nil {
			return done, err
		}
		defer func() { stop(); _ = daemon.Wait() }()
	}
	if o := runLine(r, line{name: "prepare", command: "set -e\n" + m.prepare}); o.Status != 0 {
		return done, fmt.Errorf("preparing: status %d: %s", o.Status, o.Text)
	}
	done.Version = runLine(r, line{command: m.version}).Text
	for _, l := range lines {
		begin := time.Now()
		o := runLine(r, l)
		fmt.Fprintf(os.Stderr, "--- %s (%.1fs)\n", l.name, time.Since(begin).Seconds())
		done.Lines = append(done.Lines, o)
	}
	return done, nil
}

// emptied are the directories of the host in place of which the room gets empty ones.
var emptied = []string{"/var/lib", "/var/cache", "/var/tmp", "/var/log", "/opt", "/dev/shm", "/usr/local/bin", "/root",
	"/home", "/tmp"}

// furnish gives the room directories of its own in place of the host's that managers write to, an interface lo that is
// up, the runtime, and the images.
func furnish(r runtime) error {
	binary, err := os.ReadFile(r.file)
	if err != nil {
		return err
	}
	if err := overlay("/etc"); err != nil {
		return err
	}
	for _, dir := range emptied {
		mode := "mode=755"
		switch dir {
		case "/tmp", "/var/tmp", "/dev/shm":
			mode = "mode=1777"
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, mode); err != nil {
			return fmt.Errorf("mounting a tmpfs on %s: %w", dir, err)
		}
	}
	if err := os.WriteFile(r.path, binary, 0o755); err != nil {
		return err
	}
	// BuildKit inside dockerd runs the program that has this name.
	if err := os.Symlink(r.path, "/usr/local/bin/runc"); err != nil {
		return err
	}
	// Mounts below it, and below it alone, propagate.
	if err := os.Mkdir("/tmp/shared", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/tmp/shared", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting a tmpfs on /tmp/shared: %w", err)
	}
	if err := unix.Mount("", "/tmp/shared", "", unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing /tmp/shared: %w", err)
	}
	if err := loopback(); err != nil {
		return err
	}
	return writeImages()
}

// overlay makes a directory writable without a change of what is below.
func overlay(dir string) error {
	upper := "/run/upper" + dir
	if err := os.MkdirAll(upper, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", upper, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting a tmpfs on %s: %w", upper, err)
	}
	for _, d := range []string{"/upper", "/work"} {
		if err := os.Mkdir(upper+d, 0o755); err != nil {
			return err
		}
	}
	options := "lowerdir=" + dir + ",upperdir=" + upper + "/upper,workdir=" + upper + "/work"
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		return fmt.Errorf("mounting an overlay on %s: %w", dir, err)
	}
	return nil
}

// loopback brings the interface lo up.
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	return nil
}

// shell returns the command that runs a line.
func shell(ctx context.Context, r runtime, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", prelude+command)
	cmd.Dir, cmd.Env = "/tmp", r.environment()
	// What the line starts in the background ends with it if it takes too long.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	return cmd
}

// runLine runs one line. Its output goes to a file, because a daemon that it starts may keep the descriptors.
func runLine(r runtime, l line) output {
	o := output{Name: l.name, Status: anyStatus}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f, err := os.CreateTemp("/run", "line")
	if err != nil {
		o.Text = err.Error()
		return o
	}
	defer f.Close()
	defer os.Remove(f.Name())
	cmd := shell(ctx, r, l.command)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); cmd.ProcessState == nil {
		o.Text = err.Error()
		return o
	}
	o.Status, o.Late = cmd.ProcessState.ExitCode(), ctx.Err() != nil
	text, err := os.ReadFile(f.Name())
	if err != nil {
		o.Status, text = anyStatus, []byte(err.Error())
	}
	o.Text = string(text)
	return o
}
