package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/handfast/handfast/internal/testenv"
)

// scaleCommand makes this program the one that carries out a load, in the view that it runs in.
const scaleCommand = "scale"

// A load is what is asked of one contender at a time: commands that are carried out side by side, one after the other
// in each lane. What stands around them is not measured.
type load struct {
	Before, After [][]string
	Lanes         [][][]string
}

// together are the numbers of starts at once, and eachTogether is how many all lanes make of them in one round.
var together = [...]int{1, 4, 16}

const eachTogether = 48

// alive is how many containers there are beside the commands that are measured, at most.
const alive = 100

// startsAtOnce is the load of n lanes of starts.
func (w *workshop) startsAtOnce(c contender, n int) load {
	var l load
	for lane := range n {
		id := fmt.Sprintf("bench-%s-%d", filepath.Base(w.dir), lane)
		start := w.command(c, "run", "--bundle", w.path(scaleBundle(lane)), id)
		l.Lanes = append(l.Lanes, slices.Repeat([][]string{start}, eachTogether/n))
	}
	return l
}

// besideOthers is the load of one command, repeated, beside n containers.
func (w *workshop) besideOthers(c contender, n int, args ...string) load {
	const repeated = 5
	var l load
	for i := range n {
		id := fmt.Sprintf("alive-%s-%d", filepath.Base(w.dir), i)
		l.Before = append(l.Before, w.command(c, "run", "--detach", "--bundle", w.path(aliveBundle(i)), id))
		l.After = append(l.After, w.command(c, "delete", "--force", id))
	}
	l.Lanes = [][][]string{slices.Repeat([][]string{w.command(c, args...)}, repeated)}
	return l
}

// command is a command of an OCI runtime, whose states are apart from those of the others.
func (w *workshop) command(c contender, args ...string) []string {
	root := filepath.Join(w.states, "scale-"+strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(c.name))
	return slices.Concat([]string{c.argv[0], "--root", root}, c.argv[1:], args)
}

func scaleBundle(n int) string { return fmt.Sprintf("scale-%d", n) }
func aliveBundle(n int) string { return fmt.Sprintf("alive-%d", n) }

// writeScaleBundles makes the bundles, each with a control group of its own.
func (w *workshop) writeScaleBundles() error {
	write := func(name string, args ...string) error {
		return w.writeBundle(w.path(name), func(config map[string]any) {
			testenv.SetArgs(config, args...)
			config["linux"].(map[string]any)["cgroupsPath"] = groupName() + "/" + name
		})
	}
	for n := range slices.Max(together[:]) {
		if err := write(scaleBundle(n), "/bin/true"); err != nil {
			return err
		}
	}
	for n := range alive {
		if err := write(aliveBundle(n), "/bin/sleep", "1000000"); err != nil {
			return err
		}
	}
	return nil
}

// carryOut has a load carried out in the contender's view and returns how long a command of it took, in milliseconds:
// the whole time divided by the number of commands.
func (c contender) carryOut(l load) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	argv := c.view.inView([]string{self, scaleCommand, "-"})
	cmd := exec.Command(argv[0], argv[1:]...)
	var said strings.Builder
	cmd.Stdin, cmd.Stderr, cmd.Env = strings.NewReader(string(text)), &said, environment
	out, err := cmd.Output()
	var ns float64
	if err == nil {
		_, err = fmt.Sscan(string(out), &ns)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", c.name, err, strings.TrimSpace(said.String()))
	}
	commands := 0
	for _, lane := range l.Lanes {
		commands += len(lane)
	}
	return ns / 1e6 / float64(commands), nil
}

// loader is the other side of carryOut.
func loader() int {
	var l load
	err := json.NewDecoder(os.Stdin).Decode(&l)
	if err == nil {
		err = l.carryOut(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (l *load) carryOut(out *os.File) error {
	// What was prepared is taken away whatever happens.
	err := oneAfterTheOther(l.Before)
	var took time.Duration
	if err == nil {
		failed := make([]error, len(l.Lanes))
		var all sync.WaitGroup
		begin := time.Now()
		for n, lane := range l.Lanes {
			all.Go(func() { failed[n] = oneAfterTheOther(lane) })
		}
		all.Wait()
		took = time.Since(begin)
		err = errors.Join(failed...)
	}
	if err = errors.Join(err, allOf(l.After)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, took.Nanoseconds())
	return err
}

func oneAfterTheOther(commands [][]string) error {
	for _, argv := range commands {
		if err := quietly(argv); err != nil {
			return err
		}
	}
	return nil
}

// allOf carries out all commands, whatever becomes of each.
func allOf(commands [][]string) error {
	var errs []error
	for _, argv := range commands {
		errs = append(errs, quietly(argv))
	}
	return errors.Join(errs...)
}

// quietly runs a command with the null device as its streams, which a container that it leaves behind may keep, and
// without a copy of this process's memory, whose size would be measured.
func quietly(argv []string) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Files: []*os.File{null, null, null}, Env: environment})
	if err != nil {
		return err
	}
	state, err := p.Wait()
	if err == nil && state.Sys().(syscall.WaitStatus) != 0 {
		err = fmt.Errorf("%v", state)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return nil
}
