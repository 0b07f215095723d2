package systemd

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place is a socket that systemd may listen on.
type place struct {
	path string // beginning with "@": abstract, unix(7)
	bus  bool   // a bus, with other peers on it; else systemd itself
}

// Where the sockets are: D-Bus Specification, "Standard Message Buses", and systemd's own, which only root may use
// (src/core/dbus.c, bus_init_private).
const (
	systemBus     = "/run/dbus/system_bus_socket"
	systemPrivate = "/run/systemd/private"
)

// places returns the sockets to try, in order. getenv is os.Getenv; uid is the effective user id.
func places(user bool, uid int, getenv func(string) string) ([]place, error) {
	if !user {
		all, err := buses("DBUS_SYSTEM_BUS_ADDRESS", getenv, systemBus)
		return append(all, place{path: systemPrivate}), err
	}
	runtime := getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = "/run/user/" + strconv.Itoa(uid)
	}
	all, err := buses("DBUS_SESSION_BUS_ADDRESS", getenv, runtime+"/bus")
	return append(all, place{path: runtime + "/systemd/private"}), err
}

func buses(name string, getenv func(string) string, otherwise string) ([]place, error) {
	address := getenv(name)
	if address == "" {
		return []place{{otherwise, true}}, nil
	}
	paths, err := parseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []place
	for _, p := range paths {
		all = append(all, place{p, true})
	}
	return all, nil
}

// parseAddress returns the Unix sockets of a list of addresses (D-Bus Specification, "Server Addresses").
func parseAddress(list string) ([]string, error) {
	var paths []string
	for one := range strings.SplitSeq(list, ";") {
		transport, pairs, _ := strings.Cut(one, ":")
		if transport != "unix" {
			continue
		}
		for pair := range strings.SplitSeq(pairs, ",") {
			key, value, _ := strings.Cut(pair, "=")
			if key != "path" && key != "abstract" {
				continue
			}
			p, err := unescape(value)
			if err != nil {
				return nil, fmt.Errorf("address %q: %w", list, err)
			}
			if key == "abstract" {
				p = "@" + p
			}
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("address %q: it has no unix:path= and no unix:abstract=: %w", list, unix.EINVAL)
	}
	return paths, nil
}

// unescape undoes %xx.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if len(s)-i < 3 {
			return "", fmt.Errorf("%q ends in the middle of an escape: %w", s, unix.EINVAL)
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%q is not an escape: %w", s[i:i+3], unix.EINVAL)
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}
