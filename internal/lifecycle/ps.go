package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/handfast/handfast/cgroupfs"
)

// Processes returns the ids of the container's processes, as this process sees them, in ascending order.
func (r *Runtime) Processes(id string) ([]int, error) {
	s, err := r.load(id)
	if err != nil {
		return nil, err
	}
	if s.CgroupPath == "" {
		return nil, fmt.Errorf("cannot list the processes of container %s: it has no cgroup of its own", id)
	}
	pids := []int{} // printed as a list even when it is empty
	err = r.withGroup(context.Background(), s, func(_ context.Context, g *cgroupfs.Group) error {
		found, err := g.Procs()
		pids = append(pids, found...)
		return err
	})
	slices.Sort(pids)
	return slices.Compact(pids), err
}

// ProcessesJSON returns a list of process ids as JSON on one line.
func ProcessesJSON(pids []int) string {
	data, _ := json.Marshal(pids) // numbers always encode
	return string(data) + "\n"
}

// ProcessTable returns what ps(1) prints with these arguments, by default -ef, for the given processes only.
func ProcessTable(ctx context.Context, pids []int, args []string) (string, error) {
	path, err := exec.LookPath("ps")
	if err != nil {
		return "", fmt.Errorf("a table of processes is made by the program ps, which is not on the PATH (install Debian's "+
			"procps, or ask for --format json): %w", err)
	}
	if len(args) == 0 {
		args = []string{"-ef"}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(failure.String()), "\n")
		return "", fmt.Errorf("ps %s: %w: %s", strings.Join(args, " "), err, first)
	}
	return selectRows(string(out), pids)
}

// selectRows returns the header of a table printed by ps and the rows of the given processes.
func selectRows(table string, pids []int) (string, error) {
	header, rows, _ := strings.Cut(table, "\n")
	column := slices.Index(strings.Fields(header), "PID")
	if column < 0 {
		return "", errors.New("ps prints no column PID with these options: add it")
	}
	var b strings.Builder
	b.WriteString(header + "\n")
	for row := range strings.Lines(rows) {
		fields := strings.Fields(row)
		if len(fields) == 0 {
			continue
		}
		if len(fields) <= column {
			return "", fmt.Errorf("ps: no process id in %q", strings.TrimSuffix(row, "\n"))
		}
		pid, err := strconv.Atoi(fields[column])
		if err != nil {
			return "", fmt.Errorf("ps: %q in %q is no process id; ask for the column PID before columns whose values contain "+
				"spaces", fields[column], strings.TrimSuffix(row, "\n"))
		}
		if slices.Contains(pids, pid) {
			b.WriteString(row)
		}
	}
	return b.String(), nil
}
