package main

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	f := func(name, floor string, micros ...int) *figure {
		x := &figure{contender: contender{name: name, floor: floor}}
		for _, m := range micros {
			x.times = append(x.times, time.Duration(m)*time.Microsecond)
		}
		return x
	}
	got := table("somewhere", 3, []*figure{f("floor", "floor", 120, 100, 80), f("ours", "floor", 150, 130, 170)})
	for _, want := range []string{
		"  floor                                 100       80      100      1.00\n",
		"  ours                                  150      130      150      1.50\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

// Every contender holds the conversation, with its configuration and its descriptor.
func TestContenders(t *testing.T) {
	for _, c := range contenders() {
		once, stop, err := goroutines(c)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := once(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		stop()
	}
}
