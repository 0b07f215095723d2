package cgroupfs

import "slices"

// deviceList is the state that the kernel keeps for a v1 group: a default for all devices, and exceptions from it. The
// zero value is a new group, which has its parent's list: that of the root, which allows everything, or one that denies
// more, whose group refuses rules that go beyond it.
type deviceList struct {
	ruled      bool // a rule has set the default
	denied     bool // without an exception
	exceptions []exception
}

// devices plans rules for a v1 hierarchy. Without one the rules are a program, which is up to Group.Rule, and are only
// checked here.
func (p *planner) devices() error {
	if len(p.r.Devices) == 0 {
		return nil
	}
	if p.place("devices", "") == nil {
		if p.mode == V1 {
			return p.noController("device rules", "devices")
		}
		_, err := compile(p.r.Devices)
		return err
	}
	l, err := p.deviceList(p.r.Devices)
	if err != nil {
		return err
	}
	p.devicesFrom(&deviceList{}, l)
	return nil
}

// deviceList returns the list with which the kernel decides as the rules do, of which the last match counts. A rule
// that agrees with the default only removes exceptions, and the kernel removes only those with exactly the same numbers
// (security/device_cgroup.c, dev_exception_rm): it would accept a deny that is part of an allowed wildcard, and ignore
// it. Such rules are an error.
func (p *planner) deviceList(rules []DeviceRule) (*deviceList, error) {
	l := &deviceList{}
	for i := range rules {
		d := &rules[i]
		if d.everything() {
			*l = deviceList{ruled: true, denied: !d.Allow}
			continue
		}
		list, err := d.exceptions()
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.allow == l.denied {
				l.add(e)
			} else if err := p.take(l, e); err != nil {
				return nil, err
			}
		}
	}
	l.exceptions = slices.DeleteFunc(l.exceptions, func(e exception) bool { return e.access == 0 })
	if l.denied && !l.join() {
		return nil, invalid("device rules", "rules for reading and for writing overlap in more than %d devices and "+
			"wildcards; give them together", maxExceptions)
	}
	return l, nil
}

// take removes from the exceptions what a rule that agrees with the default covers.
func (p *planner) take(l *deviceList, e exception) error {
	for i := range l.exceptions {
		have := &l.exceptions[i]
		both := have.access & e.access
		if both == 0 || !e.overlaps(have.deviceKey) {
			continue
		}
		if !e.covers(have.deviceKey) {
			return &UnsupportedError{"device rule " + e.String(), p.mode, "it removes a part of the earlier rule " +
				have.String() + ", which v1 cannot split; replace that one by rules for the parts that stay"}
		}
		have.access &^= both
	}
	return nil
}

// add adds an exception, and reports whether the list allows or denies more by it.
func (l *deviceList) add(e exception) bool {
	for i := range l.exceptions {
		if have := &l.exceptions[i]; have.deviceKey == e.deviceKey {
			before := have.access
			have.access |= e.access
			return have.access != before
		}
	}
	l.exceptions = append(l.exceptions, e)
	return true
}

// join adds an exception for what two exceptions allow together. If the default is to deny, the kernel requires a
// single exception with every kind of access that is requested (security/device_cgroup.c, match_exception). It would
// refuse to open for reading and writing what one rule allows to read and another one to write. The creation of a node
// is never requested together with another kind.
//
// It reports whether the list stayed within maxExceptions: rules for many majors and many minors overlap in as many
// devices as there are pairs.
func (l *deviceList) join() bool {
	const opens = accRead | accWrite
	for again := true; again; {
		again = false
		before := len(l.exceptions)
		for i := 0; i < len(l.exceptions); i++ { // the list grows while it is walked
			for k := range i {
				a, b := l.exceptions[i], l.exceptions[k]
				both := a
				both.major, both.minor, both.access = max(a.major, b.major), max(a.minor, b.minor), (a.access|b.access)&opens
				if a.overlaps(b.deviceKey) && both.access != a.access&opens && both.access != b.access&opens {
					again = l.add(both) || again
				}
			}
			if len(l.exceptions) > max(before, maxExceptions) {
				return false
			}
		}
	}
	return true
}

// maxExceptions is the length up to which join extends a list.
const maxExceptions = 4096

// devicesFrom plans the change from one list to another, with one write for each difference. Writes that allow come
// before those that deny, so that a device which both lists allow stays usable all the time. Only if the default
// changes does the list start over, because the kernel then clears it (devcgroup_update_access).
func (p *planner) devicesFrom(from, to *deviceList) {
	have := from.exceptions
	if to.denied != from.denied || to.ruled && !from.ruled {
		p.device(!to.denied, "a")
		have = nil
	}
	added, taken := exceptionsOnlyIn(to.exceptions, have), exceptionsOnlyIn(have, to.exceptions)
	allowed, denied := taken, added
	if to.denied {
		allowed, denied = added, taken
	}
	for _, e := range allowed {
		p.device(true, e.value(e.access))
	}
	for _, e := range denied {
		p.device(false, e.value(e.access))
	}
}

// exceptionsOnlyIn returns the exceptions of a that b does not have.
func exceptionsOnlyIn(a, b []exception) []exception {
	var out []exception
	for _, e := range a {
		for _, o := range b {
			if o.deviceKey == e.deviceKey {
				e.access &^= o.access
			}
		}
		if e.access != 0 {
			out = append(out, e)
		}
	}
	return out
}

func (p *planner) device(allow bool, value string) {
	file := "devices.deny"
	if allow {
		file = "devices.allow"
	}
	p.add("devices", file, value)
}
