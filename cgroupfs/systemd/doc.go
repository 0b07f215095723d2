// Package systemd lets systemd make and hold the control group of a container, as a transient unit: a scope, or a
// slice.
//
// As in package cgroupfs everything is decided before anything is touched. Parse says which unit a cgroupsPath means,
// and Host.Base and Host.Plan turn Resources into a list of properties, which prints, compares and tests as the value
// that it is. A Manager carries it out:
//
//	m, err := systemd.Open(ctx, systemd.Options{})
//	unit, err := systemd.Parse("system.slice:handfast:web", "web", false)
//	limits, err := host.Plan(&resources)
//	err = m.Start(ctx, unit, append(host.Base(unit, "container web", pid), limits...))
//	...
//	err = m.Stop(ctx, unit)
//	err = m.ResetFailed(ctx, unit)
//
// Every call has a deadline, of Options.Timeout or of its context, whichever is first; its error names the call and the
// unit. No call is made while the unit's group is frozen, and nothing here freezes: so no process stays frozen because
// systemd did not answer.
//
// # D-Bus
//
// The package speaks D-Bus itself, as far as this takes: one kind of authentication, calls, replies, and one signal,
// over a socket that is read by who calls, without goroutines. The usual module, github.com/godbus/dbus/v5 (5.2.4), was
// measured first. It makes the stripped program larger by 827 KB (4.55 MB to 5.38 MB), because it needs package net,
// and adds 5 packages and 5 KB of memory to what runs at the start of a program that starts twice for every container,
// whether or not systemd is asked for. This package adds 117 KB and nothing to that start. The module is what the tests
// compare with.
package systemd
