package main

import (
	"errors"
	"fmt"
	"strings"
)

// A scaled measurement is a load that every OCI runtime carries out in each round, in turn.
type scaled struct {
	name string
	load func(c contender) load
}

func (w *workshop) scaled() (all []scaled) {
	for _, n := range together {
		all = append(all, scaled{fmt.Sprintf("starts, %d at once", n), func(c contender) load {
			return w.startsAtOnce(c, n)
		}})
	}
	id := "bench-" + groupName()[1:]
	for _, n := range []int{0, alive} {
		all = append(all, scaled{fmt.Sprintf("a start beside %d containers", n), func(c contender) load {
			return w.besideOthers(c, n, "run", "--bundle", w.path(scaleBundle(0)), id)
		}}, scaled{fmt.Sprintf("list of %d containers", n), func(c contender) load {
			return w.besideOthers(c, n, "list")
		}})
	}
	return all
}

// takeScale is "go run ./bench -scale": starts at once, and commands beside many containers.
func takeScale(o options) (err error) {
	w, err := newWorkshop(o.handfast, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.writeScaleBundles(); err != nil {
		return err
	}
	contenders := w.installed()
	fmt.Printf("%s%d rounds, contenders in turn; milliseconds a command, whole time by number of commands\n", machine(),
		o.rounds)
	for _, s := range w.scaled() {
		times := make([][]float64, len(contenders))
		for round := range o.rounds {
			for i := range contenders {
				n := (i + round) % len(contenders)
				ms, err := contenders[n].carryOut(s.load(contenders[n]))
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				times[n] = append(times[n], ms)
			}
		}
		fmt.Print(scaleText(s.name, contenders, times))
	}
	for _, n := range w.notes {
		fmt.Println(n)
	}
	return nil
}

// scaleText is the table of one measurement; ratios are to crun, by round.
func scaleText(name string, contenders []contender, times [][]float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-31s %8s  %17s  %6s\n", name, "median", "p10 - p90", "/crun")
	var crun []float64
	for i, c := range contenders {
		if strings.HasPrefix(c.name, "crun") {
			crun = times[i]
		}
	}
	for i, c := range contenders {
		ratio := "-"
		if crun != nil {
			ratio = fmt.Sprintf("%.2fx", pairedRatio(times[i], crun))
		}
		fmt.Fprintf(&b, "  %-29s %8.2f  %8.2f %8.2f  %6s\n", c.name, median(times[i]), quantile(times[i], 0.1),
			quantile(times[i], 0.9), ratio)
	}
	return b.String()
}
