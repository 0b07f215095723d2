// Command cross runs tests as programs of other architectures, natively where this kernel runs them, and otherwise
// under qemu's emulation of user space. The host needs no registration of the emulator, and gets none: since Linux 6.7
// a user namespace has a binfmt_misc of its own, in which this command registers it. So what a test executes is
// emulated, too. In an older kernel the packages whose tests need that are left out, and their names printed.
//
// The tests run as a plain user of that namespace: those that need root are skipped. table.go lists the packages, and
// the tests that the emulator cannot run. Run it from the module's root:
//
//	go run ./internal/tools/cross [-arch s390x] [PACKAGE...]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/tools/flags"
)

func main() {
	names := flag.String("arch", "", "only these architectures, with commas between them (default all)")
	inside := flag.String("inside", "", "for this command itself: it is in the namespace for this architecture")
	native := flag.Bool("native", false, "for this command itself: the architecture's programs need no emulator")
	flag.Parse()
	run := func() error { return runOutside(*names, flag.Args()) }
	if *inside != "" {
		run = func() error { return runInside(*inside, *native, flag.Args()) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cross:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) { fmt.Printf("cross: "+format+"\n", args...) }

// runOutside runs the packages, or all, for each architecture.
func runOutside(names string, packages []string) error {
	if _, err := choosePackages(packages); err != nil {
		return err
	}
	chosen, err := chooseMachines(names)
	if err != nil {
		return err
	}
	var failed []error
	for _, m := range chosen {
		if err := m.run(packages); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", m.arch, err))
		}
	}
	return errors.Join(failed...)
}

func chooseMachines(names string) ([]machine, error) {
	return flags.Choose("-arch", names, machines(), func(m machine) string { return m.arch })
}

// choosePackages returns the suites of the packages, or all. "./x/..." means x and what is below it.
func choosePackages(packages []string) ([]suite, error) {
	if len(packages) == 0 {
		return suites(), nil
	}
	var chosen []suite
	for _, p := range packages {
		name := strings.TrimPrefix(p, "./")
		below, all := strings.CutSuffix(name, "/...")
		found := false
		for _, s := range suites() {
			if s.pkg == name || all && (s.pkg == below || strings.HasPrefix(s.pkg, below+"/")) {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%s: no such package in the table of internal/tools/cross/table.go", p)
		}
	}
	return chosen, nil
}

// run executes this command again, in namespaces of its own.
func (m *machine) run(packages []string) error {
	native, err := m.native()
	if err != nil {
		return err
	}
	args := append([]string{"-inside", m.arch, fmt.Sprintf("-native=%t", native)}, packages...)
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	return cmd.Run()
}

// native reports whether this kernel runs the architecture's programs, by running one: this command's help.
func (m *machine) native() (bool, error) {
	dir, err := os.MkdirTemp("", "handfast-cross-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	probe := filepath.Join(dir, "probe")
	build := m.goCommand("build", "-buildvcs=false", "-o", probe, "./internal/tools/cross")
	if out, err := build.CombinedOutput(); err != nil {
		return false, fmt.Errorf("%s: %w\n%s", strings.Join(build.Args, " "), err, out)
	}
	err = exec.Command(probe, "-help").Run()
	if errors.Is(err, unix.ENOEXEC) {
		return false, nil
	}
	return err == nil, err
}

func (m *machine) goCommand(args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+m.arch)
	return cmd
}

// runInside runs the tests, in the namespaces that machine.run has made.
func runInside(arch string, native bool, packages []string) error {
	chosen, err := chooseMachines(arch)
	if err != nil {
		return err
	}
	m := &chosen[0]
	wanted, err := choosePackages(packages)
	if err != nil {
		return err
	}
	var options []string // of go test
	if native {
		say("%s: this kernel runs its programs", arch)
	} else if options, err = m.emulate(); err != nil {
		return err
	}
	if options != nil {
		wanted = slices.DeleteFunc(wanted, func(s suite) bool {
			if s.executes {
				say("left out: %s", s.pkg)
			}
			return s.executes
		})
	}
	r := newResults()
	for _, s := range wanted {
		options := options
		if left := unfitIn(s.pkg, native); len(left) > 0 {
			options = slices.Concat(options, []string{"-skip", skip(left)})
		}
		r.fail(s.pkg, m.test(s.pkg, r, options...))
	}
	for _, s := range wanted {
		for _, u := range unfitIn(s.pkg, native) {
			say("left out: %s: %s: %s", u.pkg, u.test, u.reason)
		}
	}
	for _, line := range r.skipped() {
		say("skipped: %s", line)
	}
	return r.err()
}

// emulate registers the emulator, and returns nil; or else the options of go test that run only the tests themselves
// under it.
func (m *machine) emulate() (options []string, err error) {
	if m.emulator == "" {
		return nil, errors.New("this kernel does not run its programs, and no emulator of user space does: the virtual " +
			"machine's kernel may (make test-vm VM='-boot 386')")
	}
	emulator, err := exec.LookPath(m.emulator)
	if err != nil {
		return nil, fmt.Errorf("%w: apt-get install qemu-user-static", err)
	}
	if err := register(m, emulator); err != nil {
		say("%s: under %s, but for programs that tests execute: %v", m.arch, emulator, err)
		return []string{"-exec", emulator}, nil
	}
	say("%s: under %s", m.arch, emulator)
	return nil, nil
}

// test runs the tests of a package as a plain user, in a user namespace below this one.
func (m *machine) test(pkg string, r *results, options ...string) error {
	args := append([]string{"test", "-json", "-buildvcs=false", "-vet=off", "-timeout=20m"}, options...)
	cmd := m.goCommand(append(args, "./"+pkg)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: 0, Size: 1}},
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = r.read(pkg, out, os.Stdout)
	return errors.Join(err, cmd.Wait())
}

// register makes the namespace's own binfmt_misc and registers the emulator in it.
func register(m *machine, emulator string) error {
	const dir = "/proc/sys/fs/binfmt_misc"
	if err := unix.Mount("binfmt_misc", dir, "binfmt_misc", 0, ""); err != nil {
		return fmt.Errorf("mounting binfmt_misc in a user namespace: %w (it takes Linux 6.7 with CONFIG_BINFMT_MISC)", err)
	}
	return os.WriteFile(filepath.Join(dir, "register"), []byte(m.registration(emulator)), 0o200)
}
