package lifecycle

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oci/state"
	"github.com/handfast/handfast/internal/sys"
	"github.com/handfast/handfast/internal/usage"
)

// UsageOptions are the options of the command events for people.
type UsageOptions struct {
	IDs      []string      // empty: all that run, also those that are started later
	Interval time.Duration // between two readings; more than zero
	Once     bool          // print one table, after two readings, and return
}

// Usage prints a table of what containers use, at every interval: in place on a terminal, one below the other
// elsewhere. With ids it ends with the last of these containers. Without, it goes on until ctx ends.
func (r *Runtime) Usage(ctx context.Context, o UsageOptions, out *os.File) error {
	for _, id := range o.IDs {
		if _, err := r.measurable(id); err != nil {
			return err
		}
	}
	m := &meters{r: r, ids: o.IDs, began: time.Now(), host: hostMemory(), open: map[string]*measured{}}
	defer m.close()
	v := view{out: out, terminal: sys.IsTerminal(out) && !o.Once}
	tick := time.NewTicker(o.Interval)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		rows, err := m.rows()
		if err != nil {
			return err
		}
		if turn > 0 && len(rows) == 0 && len(o.IDs) > 0 {
			return nil
		}
		if turn > 0 || v.terminal { // without a first reading there are no rates yet
			if err := v.show(usage.Table(rows)); err != nil || o.Once {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// meters are those of all containers of a table.
type meters struct {
	r     *Runtime
	ids   []string
	began time.Time
	host  uint64 // memory
	open  map[string]*measured
	shown map[string]bool // errors that were shown
}

// measured is one container's meter with its latest sample.
type measured struct {
	meter
	sample usage.Sample
	known  bool // there is a sample
}

// rows takes a reading of every container, in the order of their ids. Those that have ended are left out.
func (m *meters) rows() ([]usage.Row, error) {
	var rows []usage.Row
	present := map[string]bool{}
	err := m.r.each(m.complain, func(s *state.State, status string) {
		if !hasProcess(status) || s.CgroupPath == "" || len(m.ids) > 0 && !slices.Contains(m.ids, s.ID) {
			return
		}
		row, err := m.row(s)
		switch {
		case err == nil:
			rows = append(rows, row)
			present[s.ID] = true
		case !gone(err):
			m.complain(err)
		}
	})
	for id, one := range m.open {
		if !present[id] {
			one.group.Close()
			delete(m.open, id)
		}
	}
	slices.SortFunc(rows, func(a, b usage.Row) int { return strings.Compare(a.ID, b.ID) })
	return rows, err
}

// row takes a reading of one container.
func (m *meters) row(s *state.State) (usage.Row, error) {
	one := m.open[s.ID]
	if one != nil && (one.state.PID != s.PID || one.state.StartTime != s.StartTime) { // another one of the same name
		one.group.Close()
		delete(m.open, s.ID)
		one = nil
	}
	if one == nil {
		group, err := m.r.group(s).Open()
		if err != nil {
			return usage.Row{}, err
		}
		one = &measured{meter: meter{state: s, group: group}}
		m.open[s.ID] = one
	}
	if err := one.read(); err != nil {
		return usage.Row{}, err
	}
	now := usage.SampleOf(time.Since(m.began), &one.buffer, one.interfaces, m.host)
	row := usage.Row{ID: s.ID, Sample: now}
	if one.known {
		row.Rates, row.Known = usage.Between(one.sample, now)
	}
	one.sample, one.known = now, true
	return row, nil
}

// complain shows an error once, although it comes at every interval.
func (m *meters) complain(err error) {
	if m.shown == nil {
		m.shown = map[string]bool{}
	}
	if text := err.Error(); !m.shown[text] {
		m.shown[text] = true
		m.r.Log.Show(err)
	}
}

func (m *meters) close() {
	for _, one := range m.open {
		one.group.Close()
	}
}

// view shows tables.
type view struct {
	out      *os.File
	terminal bool
	lines    int  // of the last table, on a terminal
	began    bool // the heading was printed, elsewhere
}

func (v *view) show(lines []string) error {
	text := ""
	if v.terminal {
		size, err := unix.IoctlGetWinsize(int(v.out.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			size = &unix.Winsize{}
		}
		lines = usage.Fit(lines, int(size.Row), int(size.Col))
		text = usage.Redraw(lines, v.lines)
		v.lines = len(lines)
	} else {
		if v.began {
			lines = lines[1:]
		}
		v.began = true
		for _, l := range lines {
			text += l + "\n"
		}
	}
	_, err := io.WriteString(v.out, text)
	return err
}

// Metrics returns the metrics of containers in the OpenMetrics text format: of those with these ids, or of all. A
// container that cannot be read does not hide the others: it is reported on standard error.
func (r *Runtime) Metrics(ids []string) (string, error) {
	for _, id := range ids {
		if _, err := r.load(id); err != nil {
			return "", err
		}
	}
	var all []usage.Container
	err := r.each(r.Log.Show, func(s *state.State, status string) {
		if len(ids) > 0 && !slices.Contains(ids, s.ID) {
			return
		}
		c := usage.Container{ID: s.ID, Status: status, Created: s.Created}
		if hasProcess(status) && s.CgroupPath != "" {
			switch m, err := r.readOnce(s); {
			case err == nil:
				c.Stats, c.Interfaces = &m.buffer, m.interfaces
			case !gone(err):
				r.Log.Show(err)
			}
		}
		all = append(all, c)
	})
	return usage.OpenMetrics(all), err
}

// readOnce takes one reading of a container.
func (r *Runtime) readOnce(s *state.State) (*meter, error) {
	group, err := r.group(s).Open()
	if err != nil {
		return nil, err
	}
	defer group.Close()
	m := &meter{state: s, group: group}
	return m, m.read()
}

// WriteMetrics writes metrics to a file atomically, for a collector of such files.
func WriteMetrics(path, text string) error { return replaceFile("--output", path, text) }
