package cgroupfs

import "strings"

// maxInterface is IFNAMSIZ without its NUL, <linux/if.h>.
const maxInterface = 15

func (p *planner) netClass() error {
	switch {
	case p.r.NetClass == nil:
		return nil
	case p.mode == V2:
		return p.unsupportedOnV2("network class", "v2 has none; a firewall can match packets by the group's path")
	}
	p.add("net_cls", "net_cls.classid", utoa(uint64(*p.r.NetClass)))
	return nil
}

func (p *planner) netPriorities() error {
	if len(p.r.NetPriorities) > 0 && p.mode == V2 {
		return p.unsupportedOnV2("network priorities", "v2 has none; a firewall can match packets by the group's path")
	}
	for _, n := range p.r.NetPriorities {
		if err := checkKey("network interface", n.Interface); err != nil {
			return err
		}
		if len(n.Interface) > maxInterface || strings.ContainsRune(n.Interface, '/') {
			return invalid("network interface", "%q; want a name of at most %d bytes without a slash", n.Interface, maxInterface)
		}
		p.add("net_prio", "net_prio.ifpriomap", n.Interface+" "+utoa(uint64(n.Priority)))
	}
	return nil
}
