// Command demo shows handfast at work: it builds the runtime, makes a bundle on the spot, runs it as a container, and
// prints what the container saw of itself and the timeline of the handshake that started it. It needs Go and root, or a
// plain user whose system lets them make user namespaces; it downloads nothing of its own and leaves bin/handfast.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/handfast/handfast/internal/demo/view"
)

func main() {
	// An interrupt reaches handfast too, which ends the container; this program waits for that and then cleans up.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
	if err := demo(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo() (err error) {
	dir, err := os.MkdirTemp("", "run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	fmt.Println("1. Build")
	handfast, err := buildRuntime(dir)
	if err != nil {
		return err
	}
	payload := filepath.Join(dir, "payload")
	if err := build(payload, "", "./internal/demo/payload"); err != nil {
		return err
	}
	bundle := filepath.Join(dir, "bundle")
	if err := makeBundle(bundle, payload, os.Getuid(), os.Getgid()); err != nil {
		return err
	}

	fmt.Println("\n2. Run")
	trace := filepath.Join(dir, "trace")
	args := runArgs(filepath.Join(dir, "state"), trace, bundle, fmt.Sprintf("demo-%d", os.Getpid()))
	// Directories may be long, so print one option per line, with a backslash at the end.
	fmt.Printf("  $ %s", handfast)
	for i := 0; i < len(args)-1; i++ {
		if strings.HasPrefix(args[i], "--") {
			fmt.Printf(" \\\n      %s %s", args[i], args[i+1])
			i++
		} else {
			fmt.Printf(" %s", args[i])
		}
	}
	fmt.Printf(" %s\n", args[len(args)-1])
	run := exec.Command(handfast, args...)
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		return fmt.Errorf("handfast run: %w%s", err, namespaceHint())
	}
	var inside view.View
	if err := json.Unmarshal(out, &inside); err != nil {
		return fmt.Errorf("the container said %q: %w", out, err)
	}

	fmt.Println("\n3. What it saw")
	fmt.Print(compare(inside, view.Look()))

	fmt.Println("\n4. The handshake that started it")
	show := exec.Command(handfast, "trace", trace)
	show.Stdout, show.Stderr = os.Stdout, os.Stderr
	return show.Run()
}

// runArgs returns the command line of the container's run after the program's name.
func runArgs(state, trace, bundle, id string) []string {
	return []string{"--root", state, "run", "--trace", trace, "--bundle", bundle, id}
}

// buildRuntime builds bin/handfast, or into dir if the checkout is not writable.
func buildRuntime(dir string) (string, error) {
	// As in the Makefile: without a tag the version is the one of the source.
	version := output("git", "describe", "--tags", "--match", "v[0-9]*", "--dirty")
	commit := output("git", "rev-parse", "HEAD")
	program, shown := "bin/handfast", "bin/handfast"
	if !writable("bin") {
		program = filepath.Join(dir, "handfast")
		shown = program + " (bin/ is not writable)"
	}
	if err := build(program, "-X main.version="+version+" -X main.commit="+commit, "./cmd/handfast"); err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(output(program, "--version"), "\n")
	fmt.Printf("  %s: %s, %.1f MiB\n", shown, strings.TrimPrefix(first, "handfast "), float64(info.Size())/(1<<20))
	return program, nil
}

// output is what a command writes to standard output, trimmed; empty if it fails.
func output(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out))
}

// writable reports whether this user can replace a file in dir, which it creates if need be.
func writable(dir string) bool {
	if os.MkdirAll(dir, 0o755) != nil {
		return false
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return false
	}
	probe.Close()
	return os.Remove(probe.Name()) == nil
}

func build(program, ldflags, pkg string) error {
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w "+ldflags, "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// namespaceHint explains the failure if this system does not let plain users make user namespaces.
func namespaceHint() string {
	if reason := refusal(); os.Geteuid() != 0 && reason != "" {
		return "\nThis system refuses user namespaces to plain users (" + reason + "): run it as root."
	}
	return ""
}

// refusal returns the setting by which this system keeps plain users from making user namespaces, or "".
func refusal() string {
	for _, knob := range []struct{ path, refuses string }{
		{"/proc/sys/user/max_user_namespaces", "0"},
		{"/proc/sys/kernel/unprivileged_userns_clone", "0"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"},
	} {
		data, err := os.ReadFile(knob.path)
		if err == nil && strings.TrimSpace(string(data)) == knob.refuses {
			return knob.path + " is " + knob.refuses
		}
	}
	return ""
}
