// Package systemd has systemd create and hold the control group of a container, as a transient unit: a scope or a
// slice.
//
// As in package cgroupfs, everything is planned before anything is touched. Parse says which unit a cgroupsPath means,
// and Host.Base and Host.Plan turn Resources into a list of properties, a plain value that can be printed, compared and
// tested. A Manager carries it out:
//
//	m, err := systemd.Open(ctx, systemd.Options{})
//	unit, err := systemd.Parse("system.slice:handfast:web", "web", false)
//	limits, err := host.Plan(&resources)
//	err = m.Start(ctx, unit, append(host.Base(unit, "container web", pid), limits...))
//	...
//	err = m.Stop(ctx, unit)
//	err = m.ResetFailed(ctx, unit)
//
// Every call has a deadline, that of Options.Timeout or of its context, whichever comes first; its error names the call
// and the unit. The package freezes nothing and makes no call while the unit's group is frozen, so that no process
// stays frozen because systemd does not reply.
//
// # D-Bus
//
// The package implements the part of D-Bus that this takes: one kind of authentication, calls, replies, and one signal,
// over a socket that the caller's goroutine reads. The usual module, github.com/godbus/dbus/v5 (5.2.4), was measured
// first. It makes the stripped program larger by 827 KB (4.55 MB to 5.38 MB), because it needs package net, and adds 5
// packages and 5 KB of memory to the start of a program that starts twice for every container, whether or not it uses
// systemd. This package adds 117 KB and nothing to that start. The tests compare the two.
package systemd
