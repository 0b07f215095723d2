package oci

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Annotations that stand for properties which the specification does not have. Others are only handed on.
const (
	// AnnotationLandlock is a JSON object with the rules that the container's processes run under, see Landlock.
	AnnotationLandlock = "io.github.handfast.landlock"
	// AnnotationCoreScheduling is "true" for a container whose processes share a core with no others' at a time.
	AnnotationCoreScheduling = "io.github.handfast.core-scheduling"
	// AnnotationParentDeath is the signal that the first process gets when its parent ends, by name or number.
	AnnotationParentDeath = "io.github.handfast.parent-death-signal"
)

// extensions converts the annotations that stand for properties.
func (c *planner) extensions() error {
	a := c.spec.Annotations
	switch v := a[AnnotationCoreScheduling]; v {
	case "", "false":
	case "true":
		c.out.CoreScheduling = true
	default:
		return wrong("annotations."+AnnotationCoreScheduling, "%q; want true or false", v)
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

// signalNumber is the number of a signal, by its name with or without SIG, or its number; zero for none.
func signalNumber(name string) int {
	if n, err := strconv.ParseUint(name, 10, 8); err == nil {
		if n > 64 {
			return 0
		}
		return int(n)
	}
	return int(unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")))
}
