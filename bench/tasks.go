package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/internal/testenv"
)

// A task is what the contenders in one section of the report do. Ratios compare contenders of the same task.
type task string

const (
	taskRun      task = "run"
	taskExec     task = "exec"
	taskUserNS   task = "user namespace"
	taskRootless task = "rootless"
	taskTerminal task = "terminal"
	taskFilter   task = "seccomp"
)

// tasks are all of them, in the order of the report.
var tasks = [...]task{taskRun, taskExec, taskUserNS, taskRootless, taskTerminal, taskFilter}

// heads are the lines above the sections of the report; the first section has none.
var heads = map[task]string{
	taskExec:     "exec of the payload in a running container",
	taskUserNS:   "run with a user namespace",
	taskRootless: "run by a plain user, without control groups",
	taskTerminal: "run with a terminal",
	taskFilter:   "run with Docker's default seccomp profile",
}

// hostIDs is the first of the 65536 ids of the host that a container with a user namespace has.
const hostIDs = 100000

// plainUser is the user of the task rootless, which every Debian has (nobody).
const plainUser = 65534

// runtimes returns the OCI runtimes, each with its view, for every task.
func (w *workshop) runtimes() []contender {
	all := []contender{{name: "crun (v2)", view: plainView, argv: []string{"crun", "--cgroup-manager=disabled"}}}
	if w.handfast != "" {
		all = append(all, contender{name: "handfast (v2)", view: plainView, argv: []string{w.handfast}},
			contender{name: "handfast", view: hostView, argv: []string{w.handfast}})
	}
	return append(all, contender{name: "runc", view: hostView, argv: []string{"runc"}})
}

// inTask returns the contender for a runtime in a task. For exec a container runs from before the first sample until
// the end.
func (w *workshop) inTask(c contender, t task) (contender, error) {
	slug := strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(string(t) + " " + c.name)
	id := "bench-" + filepath.Base(w.dir)
	global := append([]string{c.argv[0], "--root", filepath.Join(w.states, slug)}, c.argv[1:]...)
	command := func(args ...string) []string { return append(slices.Clone(global), args...) }
	c.task, c.argv = t, command("run", "--bundle", w.bundle, id)
	switch t {
	case taskUserNS:
		bundle := w.path("userns")
		c.argv = command("run", "--bundle", bundle, id)
		return c, w.writeBundle(bundle, func(config map[string]any) { testenv.MapIDs(config, hostIDs, 65536) })
	case taskRootless:
		return w.rootless(c, global, id)
	case taskTerminal:
		bundle := w.path("terminal")
		c.argv, c.flags = command("run", "--bundle", bundle, id), []string{"-t"}
		return c, w.writeBundle(bundle, func(config map[string]any) {
			config["process"].(map[string]any)["terminal"] = true
		})
	case taskFilter:
		bundle := w.path("seccomp")
		c.argv = command("run", "--bundle", bundle, id)
		profile, err := dockerProfile()
		if err != nil {
			return c, err
		}
		return c, w.writeBundle(bundle,
			func(config map[string]any) { config["linux"].(map[string]any)["seccomp"] = profile })
	case taskExec:
		bundle := w.path(slug)
		c.prepare = command("run", "--detach", "--bundle", bundle, id)
		c.cleanup = command("delete", "--force", id)
		c.argv = command("exec", id, "/bin/true")
		// A group of its own, because these containers exist at the same time.
		return c, w.writeBundle(bundle, func(config map[string]any) {
			testenv.SetArgs(config, "/bin/sleep", "1000000")
			config["linux"].(map[string]any)["cgroupsPath"] = groupName() + "/" + slug
		})
	}
	return c, nil
}

// rootless is the contender for a runtime as a plain user, who is root of the container. Only v2's view has no group
// that the user could not change anyway, so none is made.
func (w *workshop) rootless(c contender, global []string, id string) (contender, error) {
	if strings.HasPrefix(c.name, "handfast") {
		global = append(global, "--cgroup-manager=disabled")
	}
	c.flags = []string{"-u", strconv.Itoa(plainUser)}
	bundle, states := w.path("rootless"), global[slices.Index(global, "--root")+1]
	c.argv = append(global, "run", "--bundle", bundle, id)
	err := errors.Join(os.Mkdir(states, 0o700), os.Chown(states, plainUser, plainUser))
	return c, errors.Join(err, w.writeBundle(bundle, func(config map[string]any) {
		testenv.MapIDs(config, plainUser, 1)
		delete(config["linux"].(map[string]any), "cgroupsPath")
		for _, m := range config["mounts"].([]any) { // the group that owns terminals is not mapped
			if m := m.(map[string]any); m["type"] == "devpts" {
				m["options"] = slices.DeleteFunc(m["options"].([]any), func(o any) bool { return o == "gid=5" })
			}
		}
	}))
}

// dockerProfile returns the profile that Docker writes for a container by default.
func dockerProfile() (json.RawMessage, error) {
	data, err := os.ReadFile("internal/oci/testdata/clients/docker-1.config.json")
	var config struct {
		Linux struct{ Seccomp json.RawMessage }
	}
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return nil, fmt.Errorf("read the profile that Docker sends (run this from the module's root): %w", err)
	}
	return config.Linux.Seccomp, nil
}

// handfastUncached returns handfast with a profile that it compiles in every start, because it does not cache filters
// in a directory that others can write to.
func (w *workshop) handfastUncached(c contender) contender {
	kept := filepath.Join(w.states, "anew", "@seccomp")
	c.name = "handfast (new)"
	c.argv = slices.Clone(c.argv)
	for i, a := range c.argv {
		if a == "--root" {
			c.argv[i+1] = filepath.Dir(kept)
		}
	}
	c.prepare = []string{"mkdir", "-p", "-m", "0777", kept}
	return c
}

// writeBundle creates a bundle with the shared root filesystem; mutate, if not nil, changes its configuration.
func (w *workshop) writeBundle(dir string, mutate func(config map[string]any)) error {
	config := testenv.Config(w.rootfs, "bench")
	config["ociVersion"] = "1.0.2" // the newest that Debian 12's crun accepts
	config["hostname"] = "handfast-bench"
	config["linux"].(map[string]any)["cgroupsPath"] = groupName() + "/container"
	if mutate != nil {
		mutate(config)
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
}

// writeWaiting creates the bundle whose program only waits.
func (w *workshop) writeWaiting() error {
	return w.writeBundle(w.path("waiting"), func(config map[string]any) {
		testenv.SetArgs(config, "/bin/sleep",
			"1000000")
	})
}

// runOutside runs a command of a contender outside of the measurement, in its view. Its streams are a file, because the
// container that it leaves running would keep a pipe open.
func (c contender) runOutside(argv []string) error {
	if argv == nil {
		return nil
	}
	log, err := os.CreateTemp("", "handfast-bench-")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	argv = c.view.inView(argv)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, log, log
	if err := cmd.Run(); err != nil {
		text, e := os.ReadFile(log.Name())
		return errors.Join(fmt.Errorf("%s: %s: %w\n%s", c.name, strings.Join(argv, " "), err,
			strings.TrimSpace(string(text))), e)
	}
	return nil
}
