package oci

import (
	"maps"
	"slices"
	"strings"

	"github.com/handfast/handfast/syncproto/container"
)

// sysctls converts the kernel parameters that belong to one of the container's namespaces. Any other parameter is
// refused, because it would change the host.
func (c *planner) sysctls() error {
	for _, key := range slices.Sorted(maps.Keys(c.linux.Sysctl)) {
		dotted, err := c.sysctlKey(key)
		if err != nil {
			return err
		}
		c.cfg.Sysctl = append(c.cfg.Sysctl, container.KeyValue{Key: dotted, Value: c.linux.Sysctl[key]})
	}
	slices.SortFunc(c.cfg.Sysctl, func(a, b container.KeyValue) int { return strings.Compare(a.Key, b.Key) })
	return nil
}

func (c *planner) sysctlKey(key string) (string, error) {
	at := "linux.sysctl"
	dotted := dots(key)
	for name := range strings.SplitSeq(dotted, ".") {
		// A slash here is a dot in the file's name, so the result could otherwise be "..".
		if strings.Trim(name, "/") == "" {
			return "", wrong(at, "%q is not the name of a parameter", key)
		}
	}
	switch {
	case dotted == "kernel.hostname":
		return "", wrong(at, "%q is not allowed; use the property hostname", key)
	case dotted == "kernel.domainname":
		return dotted, c.sysctlNeeds(key, container.NSUTS)
	case ipcSysctl(dotted):
		return dotted, c.sysctlNeeds(key, container.NSIPC)
	case strings.HasPrefix(dotted, "net."):
		return dotted, c.sysctlNeeds(key, container.NSNetwork)
	case strings.HasPrefix(dotted, "user."):
		return dotted, c.sysctlNeeds(key, container.NSUser)
	}
	return "", wrong(at, "%q belongs to no namespace and would change the host; want net.*, user.*, fs.mqueue.*, "+
		"kernel.domainname or one of the ipc namespace", key)
}

func (c *planner) sysctlNeeds(key, kind string) error {
	if c.has(kind) {
		return nil
	}
	return wrong("linux.sysctl", "%q needs a namespace of type %s in linux.namespaces", key, kind)
}

// ipcSysctl reports whether ipc_namespaces(7) lists a parameter.
func ipcSysctl(key string) bool {
	switch key {
	case "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
		"kernel.shmmni", "kernel.shm_rmid_forced":
		return true
	}
	return strings.HasPrefix(key, "fs.mqueue.")
}

// dots converts a key to the form with dots. As in sysctl(8), the first separator decides. After a slash, slashes
// are separators and dots belong to names; after a dot, it is the other way round. So
// net/ipv4/conf/eth0.1/forwarding and net.ipv4.conf.eth0/1.forwarding are the same parameter.
func dots(key string) string {
	if i := strings.IndexAny(key, "./"); i < 0 || key[i] == '.' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		}
		return r
	}, key)
}
