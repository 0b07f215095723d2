package testenv

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// prefix begins the name of everything that tests create outside of their own process: directories and cgroups.
const prefix = "handfast-test-"

// CgroupParent returns the absolute cgroup path below which all cgroups of this test process are.
func CgroupParent() string { return fmt.Sprintf("/%s%d", prefix, os.Getpid()) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// mountsBelow returns the mount points at or below dir in this mount namespace.
func mountsBelow(dir string) []string {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	var points []string
	for line := range strings.Lines(string(data)) {
		// proc_pid_mountinfo(5): the fifth field is the mount point.
		if f := strings.Fields(line); len(f) > 4 && (f[4] == dir || strings.HasPrefix(f[4], dir+"/")) {
			points = append(points, f[4])
		}
	}
	return points
}

// hierarchies returns the roots of every mounted cgroup hierarchy, of either version.
func hierarchies() []string {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	var roots []string
	for line := range strings.Lines(string(data)) {
		point, kind, found := strings.Cut(line, " - ")
		fields := strings.Fields(point)
		if found && strings.HasPrefix(kind, "cgroup") && len(fields) > 4 {
			roots = append(roots, fields[4])
		}
	}
	return roots
}

// groupsOfThisProcess returns the cgroups that this process's tests have left: anything below CgroupParent, and groups
// below the runtime's default parent whose name is an ID of this process. An empty CgroupParent is no leak.
func groupsOfThisProcess() []string {
	var left []string
	for _, root := range hierarchies() {
		for _, pattern := range []string{CgroupParent() + "/*", "/handfast/" + idPrefix() + "*"} {
			found, _ := filepath.Glob(root + pattern)
			for _, path := range found {
				if info, err := os.Lstat(path); err == nil && info.IsDir() {
					left = append(left, path)
				}
			}
		}
	}
	return left
}

// removeGroups removes the empty parent that is left when runtimes only delete their own group.
func removeGroups() {
	for _, root := range hierarchies() {
		os.Remove(root + CgroupParent())
	}
}
