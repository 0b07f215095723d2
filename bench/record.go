package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
)

// beyond is the factor by which a ratio must exceed the recorded one to be marked. Smaller differences are noise of
// another machine.
const beyond = 1.3

// A record holds what is comparable between hosts: the ratios of one run.
type record struct {
	Kernel string   `json:"kernel"`
	CPUs   int      `json:"cpus"`
	Rounds int      `json:"rounds"`
	Ratios []ratios `json:"ratios"`
}

// ratios are the ratios of one contender in one task.
type ratios struct {
	Name string             `json:"name"`
	Task task               `json:"task"`
	To   map[string]float64 `json:"wall_ratio_to"`
}

func (r report) record() record {
	rec := record{Kernel: r.Kernel, CPUs: r.CPUs, Rounds: r.Rounds}
	for _, c := range r.Contenders {
		rec.Ratios = append(rec.Ratios, ratios{c.Name, c.Task, c.To})
	}
	return rec
}

func readRecord(file string) (rec record, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err == nil && len(rec.Ratios) == 0 {
		err = errors.New("no ratios in it (go run ./bench -record writes them)")
	}
	if err != nil {
		return rec, fmt.Errorf("the record %s: %w", file, err)
	}
	return rec, nil
}

func (rec record) write(file string) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// comparison prints the ratios of handfast to other runtimes beside those of a record, and marks those beyond the
// limit. Ratios to the floor are left out, because they depend as much on the host's kernel. It also says what only one
// of the two has measured.
func comparison(old, now record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "wall time as a multiple of another runtime's in the same round; "+
		"recorded on Linux %s, %d CPUs, %d rounds\n\n", old.Kernel, old.CPUs, old.Rounds)
	fmt.Fprintf(&b, "%-16s %-16s %-10s %9s %9s\n", "task", "contender", "to", "recorded", "now")
	marked := 0
	for _, r := range old.Ratios {
		for _, a := range against {
			was, ok := r.To[a.name]
			if !ok || a.name == "floor" || r.Name == a.name || !strings.HasPrefix(r.Name, "handfast") {
				continue
			}
			is, measured := now.ratio(r.Task, r.Name, a.name)
			mark, text := "", "-"
			if measured {
				text = fmt.Sprintf("%.2f", is)
			}
			if measured && is > beyond*was {
				mark = fmt.Sprintf("  <-- %.1f times the record", is/was)
				marked++
			}
			fmt.Fprintf(&b, "%-16s %-16s %-10s %9.2f %9s%s\n", r.Task, r.Name, a.name, was, text, mark)
		}
	}
	fmt.Fprintf(&b, "\n%d beyond %.1f times the record", marked, beyond)
	if marked > 0 {
		b.WriteString("; a short round on a busy host may be: measure again before looking for the reason")
	}
	return b.String() + "\n"
}

func (rec record) ratio(t task, name, to string) (float64, bool) {
	for _, r := range rec.Ratios {
		if r.Task == t && r.Name == name {
			is, ok := r.To[to]
			return is, ok && !math.IsNaN(is)
		}
	}
	return 0, false
}
