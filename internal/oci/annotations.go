package oci

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Annotations for properties that the specification does not have. All other annotations are only passed on.
const (
	// AnnotationLandlock is a JSON object with the rules that restrict the container's processes; see Landlock.
	AnnotationLandlock = "io.github.handfast.landlock"
	// AnnotationCoreScheduling is "true" for a container whose processes never share a core with other processes
	// at the same time.
	AnnotationCoreScheduling = "io.github.handfast.core-scheduling"
	// AnnotationParentDeath is the signal that the first process receives when its parent ends, as a name or a
	// number.
	AnnotationParentDeath = "io.github.handfast.parent-death-signal"
	// AnnotationKeepGroups is "1" for a container whose processes keep the supplementary groups of the caller, in
	// place of those of the configuration, as with crun: podman --group-add keep-groups.
	AnnotationKeepGroups = "run.oci.keep_original_groups"
)

// extensions converts the annotations that represent properties.
func (c *planner) extensions() error {
	a := c.spec.Annotations
	switch v := a[AnnotationCoreScheduling]; v {
	case "", "false":
	case "true":
		c.out.CoreScheduling = true
	default:
		return wrong("annotations."+AnnotationCoreScheduling, "%q; want true or false", v)
	}
	switch v := a[AnnotationKeepGroups]; v {
	case "", "0", "1":
	default:
		return wrong("annotations."+AnnotationKeepGroups, "%q; want 1 or 0", v)
	}
	if v := a[AnnotationParentDeath]; v != "" {
		sig := signalNumber(v)
		if sig == 0 {
			return wrong("annotations."+AnnotationParentDeath, "%q; want a signal such as KILL, SIGTERM or 15", v)
		}
		c.cfg.Process.ParentDeathSignal = sig
	}
	return c.landlock(a[AnnotationLandlock])
}

// signalNumber returns the number of a signal, given by number or by name with or without SIG. It returns zero if
// there is no such signal.
func signalNumber(name string) int {
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		if n > 64 {
			return 0
		}
		return int(n)
	}
	return int(unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")))
}
