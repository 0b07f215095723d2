package spawn

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/rtnl"
	"github.com/handfast/handfast/syncproto/container"
)

// NetDevice is a network device that moves from the caller's network namespace to the child's.
type NetDevice struct {
	Name string // in the caller's namespace
	As   string // in the child's, where "%d" is the lowest number that makes it unique; empty: unchanged
}

// givenDevice is a device that was moved, and its state before.
type givenDevice struct {
	link      rtnl.Link
	as        string // its name in the child's namespace
	addresses []rtnl.Address
}

// devices is the move of network devices: a socket in each namespace, and the devices that have moved.
type devices struct {
	here, there     *rtnl.Conn
	hereFD, thereFD *os.File
	given           []givenDevice
}

// giveDevices moves the configured devices into the child's network namespace, with their permanent addresses, and
// brings them up there. Both namespaces stay open until the start has succeeded, for takeDevicesBack.
func (s *starter) giveDevices() error {
	if len(s.cfg.NetDevices) == 0 {
		return nil
	}
	d, err := s.openDevices()
	if err != nil {
		return err
	}
	s.devices = d
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, n := range s.cfg.NetDevices {
		as, err := freeName(n, names)
		if err != nil {
			return fmt.Errorf("network device %s: %w", n.Name, err)
		}
		names[as] = true
		if err := d.give(n.Name, as); err != nil {
			return fmt.Errorf("network device %s, as %s in the child's network namespace: %w", n.Name, as, err)
		}
	}
	return nil
}

// openDevices opens both namespaces. Everything is closed when the start is over.
func (s *starter) openDevices() (*devices, error) {
	d := &devices{}
	s.onExit(d.close)
	var err error
	if d.hereFD, err = os.Open("/proc/self/ns/net"); err != nil {
		return nil, err
	}
	theirs := "/proc/" + strconv.Itoa(s.process.pid) + "/ns/net"
	if d.thereFD, err = openNamespace(container.NSNetwork, theirs); err != nil {
		return nil, err
	}
	if d.here, err = rtnl.Open(); err != nil {
		return nil, err
	}
	enter := func() error {
		return os.NewSyscallError("setns", unix.Setns(int(d.thereFD.Fd()), unix.CLONE_NEWNET))
	}
	err = onThread([]func() error{enter}, func() (err error) {
		d.there, err = rtnl.Open()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the child's network namespace: %w", err)
	}
	return d, nil
}

func (d *devices) close() {
	for _, c := range [...]*rtnl.Conn{d.here, d.there} {
		if c != nil {
			c.Close()
		}
	}
	for _, f := range [...]*os.File{d.hereFD, d.thereFD} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// names returns the names of the devices in the child's namespace.
func (d *devices) names() (map[string]bool, error) {
	links, err := d.there.Links()
	if err != nil {
		return nil, fmt.Errorf("the devices of the child's network namespace: %w", err)
	}
	names := make(map[string]bool, len(links))
	for _, l := range links {
		names[l.Name] = true
	}
	return names, nil
}

// freeName returns the new name of a device, which no other device may have.
func freeName(n NetDevice, names map[string]bool) (string, error) {
	as := n.As
	if as == "" {
		as = n.Name
	}
	before, after, pattern := strings.Cut(as, "%d")
	if !pattern {
		if names[as] {
			return "", fmt.Errorf("the child's network namespace has one named %s: %w", as, unix.EEXIST)
		}
		return as, nil
	}
	for i := 0; ; i++ {
		name := before + strconv.Itoa(i) + after
		switch {
		case len(name) >= unix.IFNAMSIZ:
			return "", fmt.Errorf("no name of the form %s is free: %w", as, unix.ENFILE)
		case !names[name]:
			return name, nil
		}
	}
}

// give moves one device.
func (d *devices) give(name, as string) error {
	link, err := d.here.Link(name)
	if err != nil {
		return err
	}
	all, err := d.here.Addresses(link.Index)
	if err != nil {
		return err
	}
	g := givenDevice{link: link, as: as}
	for _, a := range all {
		if a.Lasting() {
			g.addresses = append(g.addresses, a)
		}
	}
	// From here on takeDevicesBack has to undo something.
	d.given = append(d.given, g)
	if err := d.here.SetUp(link.Index, false); err != nil {
		return err
	}
	if err := d.here.Move(link.Index, int(d.thereFD.Fd()), as); err != nil {
		return err
	}
	arrived, err := d.there.Link(as)
	if err != nil {
		return err
	}
	return restore(d.there, arrived, &g, true)
}

// restore restores the addresses and the state that a device loses when it moves.
func restore(c *rtnl.Conn, link rtnl.Link, g *givenDevice, up bool) error {
	for i := range g.addresses {
		if err := c.AddAddress(&g.addresses[i], link, g.link.Name); err != nil {
			return err
		}
	}
	if !up {
		return nil
	}
	return c.SetUp(link.Index, true)
}

// takeDevicesBack undoes giveDevices after a start that fails: the devices return with their name, addresses and state.
// The kernel by itself would only return physical devices and destroy virtual ones, network_namespaces(7).
func (s *starter) takeDevicesBack() error {
	if s.devices == nil {
		return nil
	}
	d := s.devices
	s.devices = nil
	var all error
	for i := len(d.given) - 1; i >= 0; i-- {
		g := &d.given[i]
		if err := d.takeBack(g); err != nil {
			all = joinErrors(all, fmt.Errorf("network device %s could not be taken back: %w", g.link.Name, err))
		}
	}
	return all
}

func (d *devices) takeBack(g *givenDevice) error {
	link, err := d.there.Link(g.as)
	if errors.Is(err, unix.ENODEV) {
		link, err = d.there.Link(g.link.Name) // it was moved but not renamed
	}
	if err == nil {
		_ = d.there.SetUp(link.Index, false)
		err = d.there.Move(link.Index, int(d.hereFD.Fd()), g.link.Name)
	} else if errors.Is(err, unix.ENODEV) {
		err = nil // it was not moved
	}
	if err != nil {
		return err
	}
	if link, err = d.here.Link(g.link.Name); err != nil {
		return err
	}
	return restore(d.here, link, g, g.link.Up)
}
