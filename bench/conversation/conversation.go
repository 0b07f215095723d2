package main

import (
	"fmt"

	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/container"

	"github.com/handfast/handfast/syncproto"
)

// configSize is the size of the configuration in MessagePack. Its other encodings are longer, or contain less.
const configSize = 10 << 10

// consolePath is the argument of the request "console".
const consolePath = "/dev/pts/0"

// configuration returns what every contender sends: a container as an engine configures it, with an environment long
// enough to make it configSize. Both processes compute it, so that each can check what arrives.
func configuration() (*container.Config, error) {
	c := plainContainer()
	c.Process.Env = append(c.Process.Env, "")
	last := &c.Process.Env[len(c.Process.Env)-1]
	for {
		v, err := syncproto.ToValue(*c)
		if err != nil {
			return nil, err
		}
		b, err := codec.MessagePack().Append(nil, v)
		if err != nil {
			return nil, err
		}
		missing := configSize - len(b)
		switch {
		case missing == 0:
			return c, nil
		case missing < 0:
			return nil, fmt.Errorf("the configuration takes %d bytes, want %d", len(b), configSize)
		case len(*last) >= 60: // a typical length of variables
			c.Process.Env = append(c.Process.Env, "")
			last = &c.Process.Env[len(c.Process.Env)-1]
		case missing > 128:
			*last = fmt.Sprintf("SERVICE_%03d_ENDPOINT=tcp://10.0.%d.%d:8080/some/path/of/it/v1", len(c.Process.Env),
				len(c.Process.Env), len(*last))
		default:
			*last += "x"
		}
	}
}

func plainContainer() *container.Config {
	const most = 0xa80425fb
	c := &container.Config{
		ID: "handshake-bench", Hostname: "bench",
		Namespaces: []container.Namespace{{Kind: container.NSPid, How: container.NSCreated},
			{Kind: container.NSNetwork, How: container.NSCreated},
			{Kind: container.NSMount, How: container.NSCreated}, {Kind: container.NSIPC, How: container.NSCreated},
			{Kind: container.NSUTS, How: container.NSCreated},
			{Kind: container.NSCgroup, How: container.NSUnshare}},
		Root: container.Root{Path: "/var/lib/containers/storage/overlay/0123456789abcdef/merged"},
		Masked: []string{"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
			"/proc/timer_stats",
			"/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"},
		Readonly: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		Sysctl: []container.KeyValue{{Key: "net.ipv4.ip_unprivileged_port_start", Value: "0"},
			{Key: "net.ipv4.ping_group_range", Value: "0 2147483647"}},
		Loopback: true, Hooks: container.Hooks{Runtime: true},
		State: `{"ociVersion":"1.2.0","id":"handshake-bench","status":"creating","bundle":"/var/lib/containers/bundle","annotations":{"org.example.kind":"bench"}}`,
		Process: container.Process{
			Args: []string{"/usr/bin/server", "--listen", "0.0.0.0:8080", "--log-format", "json"}, Cwd: "/srv",
			Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root"},
			UID: 1000, GID: 1000, AdditionalGIDs: []uint32{4, 20, 24, 27},
			Capabilities: container.Capabilities{Bounding: most, Effective: most, Permitted: most}, NoNewPrivs: true,
			Rlimits: []container.Rlimit{{Resource: 7, Soft: 1 << 20, Hard: 1 << 20},
				{Resource: 6, Soft: 1 << 16, Hard: 1 << 16}}, Terminal: true, Rows: 24, Columns: 80,
		},
	}
	for i, m := range []struct{ at, kind, data string }{
		{"/proc", "proc", ""}, {"/dev", "tmpfs", "mode=755,size=65536k"}, {"/dev/pts", "devpts",
			"newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"/dev/shm", "tmpfs", "mode=1777,size=65536k"}, {"/dev/mqueue", "mqueue", ""}, {"/sys", "sysfs", ""},
	} {
		mount := container.Mount{Destination: m.at, Type: m.kind, Source: m.kind, Set: uint64(2 + i)}
		if m.data != "" {
			mount.Data = []string{m.data}
		}
		c.Mounts = append(c.Mounts, mount)
	}
	for i := range 8 {
		c.Mounts = append(c.Mounts, container.Mount{Destination: fmt.Sprintf("/srv/volume-%d", i), Bind: true,
			Recursive: true,
			Source:    fmt.Sprintf("/var/lib/containers/volumes/%016x/_data", i), Propagation: 1<<18 | 1<<14})
	}
	for i, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		c.Devices = append(c.Devices, container.Device{Path: "/dev/" + name, Type: "c", Major: 1, Minor: uint32(3 + i),
			Mode: 0o666})
	}
	return c
}
