package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// observation is the resources of a process at one moment, each with a line that describes it to a reader.
type observation struct {
	fds        map[string]string // number -> its target in /proc
	children   map[string]string // pid -> its name and state
	goroutines map[string]int    // the function and the place that started it -> number
}

func observe() observation {
	warmPoller()
	return observation{fds: openFiles(), children: childProcesses(), goroutines: goroutines()}
}

// warmPoller makes the runtime open its epoll and event descriptors now. Otherwise the first pipe or socket of a test
// would look like a leak of two descriptors.
func warmPoller() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	r.Close()
	w.Close()
}

// leaks compares the current state with the earlier observation and returns a line for each leftover, in a fixed order.
// It retries until nothing is left or patience has passed. It recognises mounts, cgroups and files by their names (they
// are below dir, or contain this process's id), because other packages' tests run at the same time.
func (before observation) leaks(dir string, patience time.Duration) []string {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left := before.diff(dir)
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

func (before observation) diff(dir string) []string {
	var left []string
	add := func(kind string, old, now map[string]string) {
		for _, key := range sortedKeys(now) {
			if old[key] != now[key] {
				left = append(left, fmt.Sprintf("%s %s: %s", kind, key, now[key]))
			}
		}
	}
	add("descriptor", before.fds, openFiles())
	add("child process", before.children, childProcesses())
	for place, n := range goroutines() {
		if n > before.goroutines[place] {
			left = append(left, fmt.Sprintf("goroutine (%d more): %s", n-before.goroutines[place], place))
		}
	}
	for _, point := range mountsBelow(dir) {
		left = append(left, "mount: "+point)
	}
	for _, group := range groupsOfThisProcess() {
		left = append(left, "cgroup: "+group)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, "file: "+filepath.Join(dir, e.Name()))
	}
	return left
}

// openFiles returns this process's descriptors, without the one that reads the list.
func openFiles() map[string]string {
	files := map[string]string{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			files[e.Name()] = target
		}
	}
	return files
}

// childProcesses returns the direct children, including zombies: a zombie is a missing Wait.
func childProcesses() map[string]string {
	children := map[string]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		// The name may contain spaces and parentheses, so count the fields from the last parenthesis.
		text := string(data)
		opening, closing := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
		if opening < 0 || closing < opening {
			continue
		}
		fields := strings.Fields(text[closing+1:])
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			children[strings.TrimSpace(text[:opening])] = fmt.Sprintf("%s, state %s", text[opening+1:closing], fields[0])
		}
	}
	return children
}

// goroutines counts the goroutines by the place that started them. It leaves out the signal package's loop, which
// starts with the first Notify and never ends.
func goroutines() map[string]int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	counts := map[string]int{}
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		_, by, found := strings.Cut(stack, "created by ")
		if !found || strings.HasPrefix(by, "os/signal.") || strings.HasPrefix(by, "runtime.") {
			continue
		}
		by, _, _ = strings.Cut(by, " +0x")
		function, place, _ := strings.Cut(by, "\n")
		function, _, _ = strings.Cut(function, " in goroutine")
		counts[function+" at "+strings.TrimSpace(place)]++
	}
	return counts
}
