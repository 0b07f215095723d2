package cgroupfs

import (
	"fmt"
	"os"
	"strconv"
)

// NetworkInterface holds the counters of a network interface since its creation.
type NetworkInterface struct {
	Name                                    string
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// Network appends the interfaces that a process sees, in the kernel's order (/proc/PID/net/dev, proc_pid_net(5)). They
// belong to its network namespace, not to a control group.
func Network(all []NetworkInterface, pid int) ([]NetworkInterface, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/net/dev"
	b, err := os.ReadFile(path)
	if err != nil {
		return all, err
	}
	if all, err = parseNetwork(all, b); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return all, err
}

// parseNetwork parses two heading lines, and a line for every interface: its name and a colon, eight counters of
// received data, eight of sent data.
func parseNetwork(all []NetworkInterface, b []byte) ([]NetworkInterface, error) {
	for i := 0; len(b) > 0; i++ {
		var line []byte
		line, b = cutLine(b)
		name, rest, found := cutAt(line, ':')
		if i < 2 || !found {
			continue
		}
		name, _ = cutField(name)
		n := NetworkInterface{Name: string(name)}
		var skipped uint64
		for _, into := range [...]*uint64{
			&n.RxBytes, &n.RxPackets, &n.RxErrors, &n.RxDropped, &skipped, &skipped, &skipped, &skipped,
			&n.TxBytes, &n.TxPackets, &n.TxErrors, &n.TxDropped,
		} {
			var field []byte
			field, rest = cutField(rest)
			var err error
			if *into, err = digits(field); err != nil {
				return all, fmt.Errorf("interface %q: %w", name, err)
			}
		}
		all = append(all, n)
	}
	return all, nil
}
