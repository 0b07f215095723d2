package cgroupfs

import "slices"

// deviceList is what the kernel keeps of a v1 group: what holds for all devices, and the exceptions from it. The zero
// value is a fresh group, which has its parent's list, and that is the root's, all allowed, or denies more and refuses
// what goes beyond it.
type deviceList struct {
	ruled      bool // a rule said what holds for all
	denied     bool // without an exception
	exceptions []exception
}

// devices plans rules for a hierarchy of v1. Without one they are a program that belongs to Group.Rule, and are only
// checked here.
func (p *planner) devices() error {
	if len(p.r.Devices) == 0 {
		return nil
	}
	if p.place("devices", "") == nil {
		if p.mode == V1 {
			return p.missing("device rules", "devices")
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

// deviceList is the list in which the kernel answers by rules of which the last that matches counts. What agrees with
// the default only takes exceptions away, and the kernel takes away only those with the very same numbers
// (security/device_cgroup.c, dev_exception_rm): a deny below a wildcard that is allowed would be accepted and mean
// nothing. Such rules are an error.
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
		return nil, invalid("device rules", "reading and writing meet in more than %d devices and wildcards; give them "+
			"together", maxExceptions)
	}
	return l, nil
}

// take takes a rule that agrees with the default out of the exceptions.
func (p *planner) take(l *deviceList, e exception) error {
	for i := range l.exceptions {
		have := &l.exceptions[i]
		both := have.access & e.access
		if both == 0 || !e.meets(have.deviceKey) {
			continue
		}
		if !e.covers(have.deviceKey) {
			return &UnsupportedError{"device rule " + e.String(), p.mode, "it takes a part out of the earlier rule " +
				have.String() + ", which stays whole there; put the parts that shall be left in its place"}
		}
		have.access &^= both
	}
	return nil
}

// add reports whether the list says more by it.
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

// join adds an exception for what two of them allow together: where all is denied the kernel wants one exception that
// has every kind of access which is asked for (security/device_cgroup.c, match_exception), and would refuse to open for
// reading and writing what one rule allows to read and another to write. Making a node is never asked for together with
// another kind.
//
// It reports whether that ended: rules for each of many majors and each of many minors have as many meetings as there
// are pairs.
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
				if a.meets(b.deviceKey) && both.access != a.access&opens && both.access != b.access&opens {
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

// maxExceptions bounds what join adds to.
const maxExceptions = 4096

// devicesFrom plans the way from one list to another with as few writes as there are differences. What is allowed comes
// before what is denied, so that a device which both lists allow stays open all the way. Only where what holds for all
// changes does the list begin anew, for the kernel then clears it (devcgroup_update_access).
func (p *planner) devicesFrom(from, to *deviceList) {
	have := from.exceptions
	if to.denied != from.denied || to.ruled && !from.ruled {
		p.device(!to.denied, "a")
		have = nil
	}
	added, taken := beyond(to.exceptions, have), beyond(have, to.exceptions)
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

// beyond is what a has and b has not.
func beyond(a, b []exception) []exception {
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
