package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/account"
)

// takeAccounts implements "go run ./bench -account": it prints where the time of each command goes, in each view.
func takeAccounts(o options) (err error) {
	w, err := newWorkshop(o.handfast, "handfast_account")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.writeWaiting(); err != nil {
		return err
	}
	fmt.Printf("%s%d rounds; means of their middle half. CPU, switches (voluntary and not) and faults are\n"+
		"the command's own, and in the last line also of the processes that it has waited for.\n", machine(), o.rounds)
	for _, v := range []view{plainView, hostView} {
		all, err := w.accountOf(v, o.warmup, o.rounds)
		if err != nil {
			return err
		}
		for _, name := range commandsOf(all) {
			fmt.Print(accountText(fmt.Sprintf("%s (%s)", name, v), ofCommand(all, name)))
		}
	}
	return nil
}

// machine returns a line about the machine and its load.
func machine() string {
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d CPUs, load %s", runtime.NumCPU(), load)
}

func commandsOf(all []accounted) (names []string) {
	seen := map[string]bool{}
	for _, a := range all {
		if !seen[a.Command] {
			seen[a.Command] = true
			names = append(names, a.Command)
		}
	}
	return names
}

func ofCommand(all []accounted, name string) (some []accounted) {
	for _, a := range all {
		if a.Command == name {
			some = append(some, a)
		}
	}
	return some
}

// middleHalf returns the half of the rounds that were neither the shortest nor the longest. Otherwise the load of a
// busy host in a few rounds would be part of every mean.
func middleHalf(rounds []accounted) []accounted {
	sorted := slices.SortedFunc(slices.Values(rounds), func(a, b accounted) int {
		return cmp.Compare(a.End-a.Begin, b.End-b.Begin)
	})
	cut := len(sorted) / 4
	return sorted[cut : len(sorted)-cut]
}

// A phase is one line of an account: means over the rounds in which it occurs.
type phase struct {
	name                                    string
	ms, cpu, voluntary, involuntary, faults float64
}

// phasesOf splits each round at its marks. A phase is identified by its name and the number of earlier ones with this
// name in the round. The phases of a round add up to all of it.
func phasesOf(rounds []accounted) []*phase {
	var order []*phase
	index := map[string]*phase{}
	n := float64(len(rounds))
	for _, r := range rounds {
		last := account.Mark{NS: r.Begin}
		count := map[string]int{}
		ends := append(append([]account.Mark{}, r.Marks...), account.Mark{Phase: "end of the process", NS: r.End})
		for i, m := range ends {
			if i == len(ends)-1 { // there are no counters after the last mark
				m.CPUUS, m.Voluntary, m.Involuntary, m.Faults = last.CPUUS, last.Voluntary, last.Involuntary, last.Faults
			}
			count[m.Phase]++
			key := fmt.Sprint(m.Phase, count[m.Phase])
			p := index[key]
			if p == nil {
				p = &phase{name: m.Phase}
				index[key] = p
				order = append(order, p)
			}
			p.ms += float64(m.NS-last.NS) / 1e6 / n
			p.cpu += float64(m.CPUUS-last.CPUUS) / 1e3 / n
			p.voluntary += float64(m.Voluntary-last.Voluntary) / n
			p.involuntary += float64(m.Involuntary-last.Involuntary) / n
			p.faults += float64(m.Faults-last.Faults) / n
			last = m
		}
	}
	return order
}

// accountText returns one command's account, from the middle half of its rounds.
func accountText(title string, rounds []accounted) string {
	rounds = middleHalf(rounds)
	var whole phase
	n := float64(len(rounds))
	for _, r := range rounds {
		whole.ms += float64(r.End-r.Begin) / 1e6 / n
		whole.cpu += float64(r.Tree.CPUUS) / 1e3 / n
		whole.voluntary += float64(r.Tree.Voluntary) / n
		whole.involuntary += float64(r.Tree.Involuntary) / n
		whole.faults += float64(r.Tree.Faults) / n
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-40s %7s %6s %7s %9s %7s\n", title, "ms", "share", "CPU", "switches", "faults")
	line := func(p *phase) {
		fmt.Fprintf(&b, "  %-38s %7.3f %5.1f%% %7.3f %4.0f+%-4.0f %7.0f\n",
			p.name, p.ms, 100*p.ms/whole.ms, p.cpu, p.voluntary, p.involuntary, p.faults)
	}
	sum := phase{name: "sum, the command alone"}
	for _, p := range phasesOf(rounds) {
		line(p)
		sum.ms += p.ms
		sum.cpu += p.cpu
		sum.voluntary += p.voluntary
		sum.involuntary += p.involuntary
		sum.faults += p.faults
	}
	line(&sum)
	whole.name = "whole, its processes too"
	line(&whole)
	return b.String()
}
