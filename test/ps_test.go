package test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

func (r *runtime) pids(id string) []int {
	r.t.Helper()
	o := r.do("ps", "--format", "json", id)
	var pids []int
	if err := json.Unmarshal([]byte(o.stdout), &pids); err != nil || pids == nil || o.status != 0 || o.stderr != "" {
		r.t.Fatalf("ps: %+v: %v", o, err)
	}
	return pids
}

// TestPs (PS01): ps lists exactly the container's processes, with their ids on the host.
func TestPs(t *testing.T) {
	testenv.Tool(t, "ps", "procps")
	r, id := newRuntime(t), testenv.ID(t)
	r.ok("create", "-b", shell(t, "sleep 1000 & sleep 1001 & wait", nil), id)
	first := int(r.stateOf(id)["pid"].(float64))
	if got := r.pids(id); !slices.Equal(got, []int{first}) {
		t.Errorf("created: %v, want %d", got, first)
	}
	r.ok("start", id)
	eventually(t, "three processes", func() bool { return len(r.pids(id)) == 3 })
	eventually(t, "two of them are sleeping", func() bool {
		return strings.Count(r.do("ps", id).stdout,
			" sleep 1000\n") == 1
	})

	table := r.do("ps", id)
	if table.status != 0 || table.stderr != "" || strings.Count(table.stdout, "\n") != 4 {
		t.Fatalf("%+v", table)
	}
	contains(t, strings.SplitN(table.stdout, "\n", 2)[0], "UID", "PID", "CMD")
	contains(t, table.stdout, "sleep 1000", "sleep 1001", strconv.Itoa(first))

	own := r.do("ps", "--format=table", id, "-A", "-o", "pid,args")
	rows := strings.Split(strings.TrimSpace(own.stdout), "\n")
	if own.status != 0 || len(rows) != 4 || !slices.Equal(strings.Fields(rows[0]), []string{"PID", "COMMAND"}) {
		t.Errorf("%+v", own)
	}
	r.fails([]string{"no column PID"}, "ps", id, "-A", "-o", "comm")
	r.fails([]string{"ps --no-such-option"}, "ps", id, "--no-such-option")
	r.fails([]string{"--format", "xml", "table or json"}, "ps", "--format", "xml", id)
	r.fails([]string{"container does not exist"}, "ps", id+"x")

	cmd := r.command("ps", id)
	cmd.Env = []string{"PATH=/nonexistent"}
	r.oneLine(finish(t, cmd), []string{"program ps", "procps", "json"})

	r.ok("kill", id, "KILL")
	r.awaitStatus(id, "stopped")
	eventually(t, "no process", func() bool { return len(r.pids(id)) == 0 })
	r.ok("delete", id)
}
