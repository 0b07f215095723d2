package test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// damages are ways to damage a state file.
var damages = map[string]func(t *testing.T, path string){
	"cut":         func(t *testing.T, path string) { must(t, os.Truncate(path, 100)) },
	"empty":       func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
	"wrong types": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(`{"id":7,"pid":"x"}`), 0o600)) },
	"a directory": func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Mkdir(path, 0o700)) },
	"a bad group": func(t *testing.T, path string) {
		text := `{"id":"` + filepath.Base(filepath.Dir(path)) + `","cgroupPath":"x/../.."}`
		must(t, os.WriteFile(path, []byte(text), 0o600))
	},
	"a link":  func(t *testing.T, path string) { must(t, os.Remove(path)); must(t, os.Symlink("/dev/zero", path)) },
	"removed": func(t *testing.T, path string) { must(t, os.Remove(path)) },
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedState: list reports a container whose state cannot be read, delete does not delete it by mistake, and
// delete --force finds all of it.
func TestDamagedState(t *testing.T) {
	for name, damage := range damages {
		for _, command := range []string{"create", "run --detach"} {
			t.Run(name+", "+command, func(t *testing.T) {
				r, id := newRuntime(t), testenv.ID(t)
				bundle, group := deepGroup(t)
				r.ok(append(strings.Fields(command), "-b", bundle, id)...)
				pid := strconv.Itoa(int(r.stateOf(id)["pid"].(float64)))
				damage(t, filepath.Join(r.root, id, "state.json"))
				if name != "removed" { // a missing state looks like a killed create
					o := r.do("list")
					if o.status != 0 || strings.Count(o.stdout, "\n") != 1 {
						t.Errorf("%+v", o)
					}
					contains(t, o.stderr, id, "state.json is damaged", "delete --force "+id)
					r.fails([]string{id, "state.json is damaged", "delete --force " + id}, "delete", id)
					r.fails([]string{"state.json is damaged"}, "state", id)
					r.fails([]string{"state.json is damaged"}, "kill", id, "KILL")
				}
				r.ok("delete", "--force", id)
				checkGone(t, pid, group)
			})
		}
	}
}

func checkGone(t testing.TB, pid, group string) {
	t.Helper()
	eventually(t, "the container's process has ended", func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	})
	if left := groupsNamed(t, group); len(left) > 0 {
		t.Errorf("left: %v", left)
		removeEmpty(groupsNamed(t, filepath.Dir(group)))
	}
	removeEmpty(groupsNamed(t, filepath.Dir(group))) // a parent stays if nothing says who created it
}

// TestDamagedTwice: if the copy beside the state is damaged too, delete finds a container that waits for its start by
// its gate, and the group by the id. If it finds nothing, the error says so.
func TestDamagedTwice(t *testing.T) {
	ruin := func(r *runtime, id string) {
		for _, name := range []string{"state.json", "state.json.next"} {
			must(t, os.WriteFile(filepath.Join(r.root, id, name), []byte("{"), 0o600))
		}
	}
	r := newRuntime(t)
	pidOf := func(id string) string { return strconv.Itoa(int(r.stateOf(id)["pid"].(float64))) }

	id := testenv.ID(t)
	bundle, group := deepGroup(t)
	r.ok("create", "-b", bundle, id)
	pid := pidOf(id)
	ruin(r, id)
	r.ok("delete", "--force", id)
	checkGone(t, pid, group)

	id = testenv.ID(t)
	pathless := func(c map[string]any) { delete(linux(c), "cgroupsPath") }
	r.ok("run", "--detach", "-b", shell(t, "exec sleep 1000", pathless), id)
	pid = pidOf(id)
	ruin(r, id)
	r.ok("delete", "--force", id)
	checkGone(t, pid, "/handfast/"+id)

	id = testenv.ID(t)
	r.ok("create", "-b", bundle, id)
	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	must(t, os.Remove(filepath.Join(r.root, id, "start.sock")))
	ruin(r, id)
	r.fails([]string{"nothing tells", "may be left", "/handfast/" + id}, "delete", "--force", id)
	r.ok("delete", "--force", id)
	removeEmpty(groupsNamed(t, filepath.Dir(group)))
}
