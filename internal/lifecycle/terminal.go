package lifecycle

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/console"
	"github.com/handfast/handfast/internal/signals"
)

// checkTerminal reports whether the configuration's choice of a terminal fits the options of the command. The rules
// are runc's.
func checkTerminal(terminal, detached bool, socket string) error {
	switch {
	case terminal && detached && socket == "":
		return errors.New("process.terminal is true and nobody stays to show it: use --console-socket, or use run in the " +
			"foreground")
	case !terminal && socket != "":
		return fmt.Errorf("--console-socket %s: process.terminal is false, so there is no terminal to send", socket)
	case terminal && !detached && socket != "":
		return fmt.Errorf("--console-socket %s: process.terminal is shown on the terminal of run in the foreground; use "+
			"--detach to send it", socket)
	}
	return nil
}

// terminal is the destination of a container's terminal: a socket, or the terminal that this command runs in.
type terminal struct {
	socket string
	host   *console.Host
	proxy  *console.Proxy
	watch  *foreground // set before take if host is set
}

// prepare checks, before anything is made, that there is a terminal on which to show the container's.
func (t *terminal) prepare(wanted, detached bool, socket string) error {
	if err := checkTerminal(wanted, detached, socket); err != nil {
		return err
	}
	t.socket = socket
	if !wanted || socket != "" {
		return nil
	}
	var err error
	t.host, err = console.FindHost()
	return err
}

// take receives the master of the container's terminal and owns it.
func (t *terminal) take(master *os.File, name string) (err error) {
	if t.host == nil {
		defer master.Close()
		return console.Send(t.socket, master, name)
	}
	// A shell stops a background process that reads or sets its terminal, and that must stop this process: if the
	// signal were caught, the read would be repeated without end.
	signals.Default(signals.SetOf(unix.SIGTTIN, unix.SIGTTOU))
	t.proxy, err = console.Start(t.host, master, os.Stdin, os.Stdout)
	return err
}

// close restores and releases the host's terminal. It is called on every way out.
func (t *terminal) close() {
	if t.proxy != nil {
		t.proxy.Stop(t.watch.abort())
	}
	if t.host != nil {
		_ = t.host.Close()
	}
}
