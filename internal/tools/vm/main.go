// Command vm runs tests in a virtual machine, because the host may lack what they need: each version of control
// groups alone with every controller, systemd as process 1, and every capability. It makes the machine's image once
// (see build), compiles the tests anew in each run, and starts the machine once for each boot. Run it from the
// module's root, as root.
//
// The exit status is 0 if every job of every boot succeeded and ran a test, and if every test that was skipped in
// one boot passed in another.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/tools/flags"
)

func main() {
	names := flag.String("boot", "", "only these boots, with commas between them: v2, v1, systemd; or 386, arm64 "+
		"or managers, which are in no other run")
	only := flag.String("run", "", "only the tests that match, in every package of the boot that has some")
	shell := flag.Bool("shell", false, "no tests: a shell in the guest (of the boot v2, or of -boot); leave it with exit")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	// The thread that starts the emulator must live as long as the emulator, which ends with that thread.
	runtime.LockOSThread()
	// "go run", which starts this program, does not pass on signals.
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	defer stop()
	if err := run(ctx, *names, *only, *shell); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) { fmt.Printf("vm: "+format+"\n", args...) }

func run(ctx context.Context, names, only string, shell bool) error {
	chosen, err := choose(names)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("making the guest's root file system needs root (effective user id %d)", os.Geteuid())
	}
	dir, err := os.MkdirTemp("", "handfast-vm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	guests := map[*arch]guest{}
	for _, b := range chosen {
		if _, made := guests[b.arch]; made {
			continue
		}
		if guests[b.arch], err = makeGuest(dir, b.arch, chosen, only); err != nil {
			return err
		}
	}
	if shell {
		b := &chosen[0]
		return enter(ctx, b.arch.emulator, qemuArgs(guests[b.arch], "/dev/null", b, true))
	}
	var failed []error
	var verdicts []*verdict
	for i := range chosen {
		b := &chosen[i]
		say("boot %s: %s", b.name, b.about)
		v, err := runBoot(ctx, guests[b.arch], dir, b, only)
		if err != nil {
			failed = append(failed, err)
		}
		verdicts = append(verdicts, v)
		if ctx.Err() != nil {
			break
		}
	}
	if never := neverRun(verdicts); names == "" && ctx.Err() == nil && len(never) > 0 {
		failed = append(failed, fmt.Errorf("skipped in every boot that has them:\n%s", strings.Join(never, "\n")))
	}
	return errors.Join(failed...)
}

// guest is what the boots of one architecture have in common.
type guest struct {
	machine
	payload string // the image of this run's files
}

// makeGuest makes the guest for those of the boots that have this architecture. Its payload is below dir.
func makeGuest(dir string, a *arch, boots []boot, only string) (guest, error) {
	m, err := build(a)
	if err != nil {
		return guest{}, err
	}
	boots = slices.DeleteFunc(slices.Clone(boots), func(b boot) bool { return b.arch != a })
	dir = filepath.Join(dir, boots[0].name)
	image, err := payload(a, dir, boots, only)
	return guest{m, image}, err
}

// choose returns the boots with these names, which have commas between them, or those that run without one.
func choose(names string) ([]boot, error) {
	if names == "" {
		return slices.DeleteFunc(boots(), func(b boot) bool { return b.byName }), nil
	}
	return flags.Choose("-boot", names, boots(), func(b boot) string { return b.name })
}
