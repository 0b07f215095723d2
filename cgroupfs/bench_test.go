package cgroupfs_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/testenv"
)

// defaultLimits are what a container manager asks for by default, and a limit each of memory, tasks and processors.
func defaultLimits(b *testing.B, l *cgroupfs.Layout) []cgroupfs.Write {
	b.Helper()
	node := func(kind string, major, minor int64) cgroupfs.DeviceRule {
		return cgroupfs.DeviceRule{Allow: true, Type: kind, Major: &major, Minor: &minor, Access: "rwm"}
	}
	r := &cgroupfs.Resources{Memory: p[int64](64 << 20), Pids: p[int64](100), CPUShares: p[uint64](1024),
		CPUQuota: p[int64](50_000), CPUPeriod: p[uint64](100_000)}
	r.Devices = []cgroupfs.DeviceRule{{Type: "a", Access: "rwm"}, node("c", 1, 3), node("c", 1, 5), node("c", 1, 7),
		node("c", 1, 8), node("c", 1, 9), node("c", 5, 0), node("c", 5, 2)}
	writes, err := cgroupfs.Plan(l, r)
	if err != nil {
		b.Fatal(err)
	}
	return writes
}

// bare is the least that a program must ask of the kernel for the same: directories and writes, by their paths, with
// nothing checked.
type bare struct {
	l      *cgroupfs.Layout
	dirs   []string
	writes [][2]string // path below the group's directory, value
	into   []int       // index in dirs
}

func (w *bare) dir(controller string) int {
	for i, h := range w.l.Hierarchies {
		if h.V2 && len(w.l.Hierarchies) == 1 || slices.Contains(h.Controllers, controller) {
			return i
		}
	}
	return -1
}

func newBare(l *cgroupfs.Layout, writes []cgroupfs.Write) *bare {
	w := &bare{l: l}
	for _, h := range l.Hierarchies {
		w.dirs = append(w.dirs, h.Mountpoint)
	}
	for _, one := range writes {
		w.into, w.writes = append(w.into, w.dir(one.Controller)), append(w.writes, [2]string{"/" + one.File, one.Value})
	}
	return w
}

func put(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	return errors.Join(err, unix.Close(fd))
}

func get(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	var buf [4096]byte
	n, err := unix.Read(fd, buf[:])
	return string(buf[:max(n, 0)]), errors.Join(err, unix.Close(fd))
}

// create makes the group; the parent is there, with its processors. A new group of v1's cpuset has none, so they are
// copied.
func (w *bare) create(parent, name string) error {
	for i, d := range w.dirs {
		path := d + parent + name
		if err := unix.Mkdir(path, 0o755); err != nil {
			return err
		}
		if !slices.Contains(w.l.Hierarchies[i].Controllers, "cpuset") {
			continue
		}
		for _, file := range []string{"/cpuset.cpus", "/cpuset.mems"} {
			value, err := get(d + parent + file)
			if err == nil {
				err = put(path+file, value)
			}
			if err != nil {
				return err
			}
		}
	}
	for i, write := range w.writes {
		if err := put(w.dirs[w.into[i]]+parent+name+write[0], write[1]); err != nil {
			return err
		}
	}
	return nil
}

func (w *bare) add(group, pid string) error {
	for _, d := range w.dirs {
		if err := put(d+group+"/cgroup.procs", pid); err != nil {
			return err
		}
	}
	return nil
}

func (w *bare) delete(group string) error {
	for _, d := range w.dirs {
		if err := unix.Rmdir(d + group); err != nil {
			return err
		}
	}
	return nil
}

// rig is what the benchmarks of groups share: a group to make others in, and a process to put into them.
type rig struct {
	b      *testing.B
	l      *cgroupfs.Layout
	writes []cgroupfs.Write
	bare   *bare
	home   *cgroupfs.Group
	pid    int
}

func newRig(b *testing.B) *rig {
	testenv.Root(b)
	l, err := cgroupfs.Host()
	if err != nil {
		b.Fatal(err)
	}
	r := &rig{b: b, l: l, writes: defaultLimits(b, l)}
	r.bare = newBare(l, r.writes)
	if r.home, err = cgroupfs.Create(l, testenv.CgroupParent()+"/bench"); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := r.home.Delete(context.Background()); err != nil {
			b.Error(err)
		}
		r.home.Close()
	})
	return r
}

func (r *rig) must(err error) {
	if err != nil {
		r.b.Helper()
		r.b.Fatal(err)
	}
}

// byPackage and byHand make a group with its limits, put the process into it if with is set, and remove it, and give
// the time that took. Between, the process goes elsewhere, which is not counted.
func (r *rig) byPackage(name string, with bool) time.Duration {
	begin := time.Now()
	g, err := cgroupfs.Create(r.l, r.home.Path()+name)
	r.must(err)
	defer g.Close()
	r.must(g.Apply(r.writes))
	if with {
		r.must(g.Add(r.pid))
	}
	spent := time.Since(begin)
	if with {
		r.must(r.bare.add("", strconv.Itoa(r.pid)))
	}
	begin = time.Now()
	r.must(g.Delete(context.Background()))
	return spent + time.Since(begin)
}

func (r *rig) byHand(name string, with bool) time.Duration {
	begin := time.Now()
	r.must(r.bare.create(r.home.Path(), name))
	if with {
		r.must(r.bare.add(r.home.Path()+name, strconv.Itoa(r.pid)))
	}
	spent := time.Since(begin)
	if with {
		r.must(r.bare.add("", strconv.Itoa(r.pid)))
	}
	begin = time.Now()
	r.must(r.bare.delete(r.home.Path() + name))
	return spent + time.Since(begin)
}

// BenchmarkGroup holds the package against the bare system calls, in turn, so that whatever else the host does meets
// both. The metric "ratio" is the median of the pairs' ratios; with a process most of the time is the kernel's, which
// lets no process fork while it moves one.
func BenchmarkGroup(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("process=%t", with), func(b *testing.B) {
			r := newRig(b)
			var ours, bare, ratio []float64
			for i := 0; b.Loop(); i++ {
				var one, other time.Duration
				if i%2 == 0 {
					one, other = r.byPackage("/a", with), r.byHand("/b", with)
				} else {
					other, one = r.byHand("/b", with), r.byPackage("/a", with)
				}
				ours, bare, ratio = append(ours, float64(one)), append(bare, float64(other)),
					append(ratio, float64(one)/float64(other))
			}
			b.ReportMetric(middle(ours), "ns/group")
			b.ReportMetric(middle(bare), "ns/bare")
			b.ReportMetric(middle(ratio), "ratio")
		})
	}
}

func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkThousandGroups makes, reads and deletes a thousand groups, and does so once more with bare system calls. The
// metrics are the median time for each step and group, and how much more the last hundred cost than the first.
func BenchmarkThousandGroups(b *testing.B) {
	const groups, part = 1000, 100
	r := newRig(b)
	for b.Loop() {
		all := make([]*cgroupfs.Group, groups)
		var stats cgroupfs.Stats
		steps := []struct {
			name string
			do   func(i int) error
		}{
			{"create", func(i int) (err error) {
				if all[i], err = cgroupfs.Create(r.l, fmt.Sprintf("%s/%d", r.home.Path(), i)); err == nil {
					err = all[i].Apply(r.writes)
				}
				return err
			}},
			{"read", func(i int) error { return all[i].Stats(&stats) }},
			{"delete", func(i int) error { return all[i].Delete(context.Background()) }},
			{"bare-create", func(i int) error { return r.bare.create(r.home.Path(), "/"+strconv.Itoa(i)) }},
			{"bare-delete", func(i int) error { return r.bare.delete(r.home.Path() + "/" + strconv.Itoa(i)) }},
		}
		for _, step := range steps {
			times := make([]float64, groups)
			for i := range all {
				begin := time.Now()
				r.must(step.do(i))
				times[i] = float64(time.Since(begin))
			}
			growth := middle(slices.Clone(times[groups-part:])) / middle(slices.Clone(times[:part]))
			b.ReportMetric(middle(times), "ns/"+step.name)
			b.ReportMetric(growth, "growth/"+step.name)
		}
		for _, g := range all {
			g.Close()
		}
	}
}
