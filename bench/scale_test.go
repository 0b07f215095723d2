package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// carriedOut has a load carried out by this process.
func carriedOut(t *testing.T, l load) (said string, err error) {
	t.Helper()
	out, e := os.Create(filepath.Join(t.TempDir(), "out"))
	if e != nil {
		t.Fatal(e)
	}
	defer out.Close()
	err = l.carryOut(out)
	data, e := os.ReadFile(out.Name())
	if e != nil {
		t.Fatal(e)
	}
	return string(data), err
}

// A load leaves nothing behind, whichever of its commands fails, and names that one.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	sh := func(script string) []string { return []string{"/bin/sh", "-c", script, "sh", dir} }
	put, add, take := sh("mkdir $1/d"), sh("echo x >>$1/d/$$"), sh("rm -r $1/d")
	l := load{Before: [][]string{put}, Lanes: [][][]string{{add, add}, {add, sh("test $(cat $1/d/* | wc -l) -ge 1")}},
		After: [][]string{take}}
	said, err := carriedOut(t, l)
	var ns int64
	if _, e := fmt.Sscan(said, &ns); err != nil || e != nil || ns <= 0 {
		t.Errorf("%q, %v, %v", said, err, e)
	}
	for _, fails := range []func(l *load){
		func(l *load) { l.Before = append(l.Before, sh("exit 3")) },
		func(l *load) { l.Lanes[1] = append(l.Lanes[1], sh("exit 3")) },
		func(l *load) { l.After = append([][]string{sh("exit 3")}, l.After...) },
	} {
		l := load{Before: l.Before, Lanes: [][][]string{l.Lanes[0], l.Lanes[1]}, After: l.After}
		fails(&l)
		if said, err := carriedOut(t, l); err == nil || said != "" || !strings.Contains(err.Error(), "exit 3") {
			t.Errorf("%q, %v", said, err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestScaleText(t *testing.T) {
	got := scaleText("starts", []contender{{name: "crun (v2)"}, {name: "handfast"}}, [][]float64{{2, 4, 2}, {1, 3, 2}})
	const want = `
starts                            median          p10 - p90   /crun
  crun (v2)                         2.00      2.00     3.60   1.00x
  handfast                          2.00      1.20     2.80   0.75x
`
	if got != want {
		t.Errorf("%s", got)
	}
}
