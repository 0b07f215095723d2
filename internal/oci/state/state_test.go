package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/testenv"
	"github.com/handfast/handfast/syncproto/container"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Options{First: func() {
		endFirstThread()
		createInAnotherProcess()
	}})
}

// createInAnotherProcess calls Create in a re-executed test binary.
func createInAnotherProcess() {
	root, id, found := strings.Cut(os.Getenv("HANDFAST_TEST_CREATE"), "|")
	if !found {
		return
	}
	d, err := New(root).Create(&State{ID: id, Creating: true})
	switch {
	case errors.Is(err, ErrExists):
		os.Exit(17)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = d.Close()
	os.Exit(0)
}

func TestValidateID(t *testing.T) {
	for _, id := range []string{"a", "A-Z_0+9.x", "...", ".a", "-", strings.Repeat("x", 1024)} {
		if err := ValidateID(id); err != nil {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "/", "a b", "a\x00", "ä", "a\n", "~", "a:b",
		strings.Repeat("x", 1025)} {
		if err := ValidateID(id); err == nil {
			t.Errorf("%.20q is accepted", id)
		}
	}
}

// TestIDsStayInTheRoot checks that every accepted id names exactly one entry in the root directory.
func TestIDsStayInTheRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z./_+-]{1,12}`)).Draw(t, "id")
		if ValidateID(id) == nil && filepath.Join("/root", id) != "/root/"+id {
			t.Errorf("%q leads to %s", id, filepath.Join("/root", id))
		}
	})
}

func full() *State {
	return &State{
		OCIVersion: "1.0.2", ID: "c1", Bundle: "/b", Rootfs: "/b/rootfs", Created: time.Date(2030, 1, 2, 3, 4, 5, 6,
			time.UTC), Owner: "root",
		Annotations: map[string]string{"a": "b"}, Creating: true, PID: 7, StartTime: 8, Gate: "/g", Console: true,
		NoProcess: true, Keyring: "_ses.x",
		CgroupPath: "/handfast/c1", CgroupMade: 2,
		Poststart: []container.Hook{{Path: "/p", Args: []string{"p", "x"}, Env: []string{"A=b"}, Timeout: 3}},
		Poststop:  []container.Hook{{Path: "/q"}},
	}
}

func TestLifeOfAState(t *testing.T) {
	st := New(filepath.Join(t.TempDir(), "run", "handfast"))
	if list, err := st.List(); err != nil || len(list) != 0 {
		t.Fatalf("list without a root: %v, %v", list, err)
	}
	if _, err := st.Load("c1"); !errors.Is(err, ErrNotExist) {
		t.Fatalf("load without a root: %v", err)
	}
	want := full()
	d, err := st.Create(want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Create(&State{ID: "c1"}); !errors.Is(err, ErrExists) {
		t.Errorf("second create: %v", err)
	}
	want.Creating, want.PID = false, 9
	if err := d.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := st.Load("c1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("loaded (-want +got)\n%s", diff)
	}
	if err := os.Mkdir(d.Path("sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if left, _ := os.ReadDir(st.root); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := st.Lock(t.Context(), "c1"); !errors.Is(err, ErrNotExist) {
		t.Errorf("lock of a removed container: %v", err)
	}
}

// TestOneCreateWins checks that exactly one of fifty callers with the same id creates the container, while others
// sometimes remove it.
func TestOneCreateWins(t *testing.T) {
	st := New(t.TempDir())
	for round := range 20 {
		var wg sync.WaitGroup
		wins := make(chan *Dir, 50)
		for range 50 {
			wg.Go(func() {
				d, err := st.Create(&State{ID: "same"})
				if err == nil {
					wins <- d
				} else if !errors.Is(err, ErrExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(wins) != 1 {
			t.Fatalf("round %d: %d creates succeeded", round, len(wins))
		}
		if err := (<-wins).Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneProcessWins(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	results := make(chan int, 16)
	for range 16 {
		wg.Go(func() {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = []string{"HANDFAST_TEST_CREATE=" + root + "|same"}
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != 0 && code != 17 {
				t.Errorf("%v: %s", err, out)
			} else {
				results <- code
			}
		})
	}
	wg.Wait()
	close(results)
	wins := 0
	for code := range results {
		if code == 0 {
			wins++
		}
	}
	if wins != 1 {
		t.Errorf("%d processes made the container", wins)
	}
}

// TestCreateAgainstRemove checks that a successful Create holds an existing container exclusively, while others
// remove what they find.
func TestCreateAgainstRemove(t *testing.T) {
	st := New(t.TempDir())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				d, err := st.Create(&State{ID: "x"})
				if errors.Is(err, ErrExists) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := st.Load("x"); err != nil {
					t.Errorf("mine is gone: %v", err)
				}
				_ = d.Close()
			}
		})
		wg.Go(func() {
			for range 50 {
				d, err := st.Lock(t.Context(), "x")
				if errors.Is(err, ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestLockGivesUp(t *testing.T) {
	st := New(t.TempDir())
	d, err := st.Create(&State{ID: "x", Creating: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := st.Lock(ctx, "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("lock of a held container: %v", err)
	}
	s, err := st.Load("x")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := st.Observe(s); err != nil || f.Status() != Creating {
		t.Errorf("while it is made: %+v, %v", f, err)
	}
	// The kernel does the same if a create is killed.
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := st.Observe(s); err != nil || f.Status() != Stopped {
		t.Errorf("after the create was killed: %+v, %v", f, err)
	}
	if d, err = st.Lock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Error(err)
	}
}

// TestListShowsTheBroken checks that an unreadable entry does not hide the others, and that List ignores entries
// that are not containers.
func TestListShowsTheBroken(t *testing.T) {
	st := New(t.TempDir())
	for _, id := range []string{"a", "b", "c", "d"} {
		d, err := st.Create(&State{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
	}
	for file, text := range map[string]string{"b/state.json": `{"id":`, "c/state.json": `{"id":"other"}`} {
		if err := os.WriteFile(filepath.Join(st.root, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(st.root, "d/state.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(st.root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(st.root, "no id"), 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := st.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, fmt.Sprint(e.ID, " ", e.State != nil && e.State.Creating, " ", e.Err))
	}
	want := []string{
		"a false <nil>",
		"b false container b: state.json is damaged: unexpected end of JSON input",
		`c false container c: state.json is damaged: it is that of container "other"`,
		"d true <nil>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list (-want +got)\n%s", diff)
	}
}

// TestSaveKeepsTheOld checks that the old state remains if the new one cannot be written.
func TestSaveKeepsTheOld(t *testing.T) {
	st := New(t.TempDir())
	d, err := st.Create(&State{ID: "x", PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Mkdir(d.Path(nextFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(&State{ID: "x", PID: 2}); !errors.Is(err, unix.EISDIR) {
		t.Errorf("save: %v", err)
	}
	if s, err := st.Load("x"); err != nil || s.PID != 1 {
		t.Errorf("state is %+v, %v", s, err)
	}
}

func TestOCI(t *testing.T) {
	s := full()
	for _, c := range []struct {
		v    any
		want string
	}{
		{
			s.OCI(Running),
			`{"ociVersion":"1.0.2","id":"c1","pid":7,"status":"running","bundle":"/b","rootfs":"/b/rootfs","created":"2030-01-02T03:04:05.000000006Z","owner":"root","annotations":{"a":"b"}}`,
		},
		{
			(&State{ID: "x", PID: 7}).OCI(Stopped),
			`{"ociVersion":"","id":"x","pid":0,"status":"stopped","bundle":"","rootfs":"","created":"0001-01-01T00:00:00Z","owner":""}`,
		},
		{s.Hook(Creating), `{"ociVersion":"1.0.2","id":"c1","status":"creating","pid":7,"bundle":"/b","annotations":{"a":"b"}}`},
		{s.Hook(Stopped), `{"ociVersion":"1.0.2","id":"c1","status":"stopped","bundle":"/b","annotations":{"a":"b"}}`},
	} {
		if got, err := json.Marshal(c.v); err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
}

func BenchmarkSave(b *testing.B) {
	st := New(b.TempDir())
	d, err := st.Create(full())
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for b.Loop() {
		if err := d.Save(full()); err != nil {
			b.Fatal(err)
		}
	}
}
