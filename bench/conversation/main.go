// Command conversation measures a whole conversation between a parent and its child: a greeting, a configuration of 10 KiB, hooks, a console with a descriptor, ready and run, EXEC, end of
// file. It does so for every codec and type of socket of handfast, for the floor (the same bytes and descriptors in the same number of messages, by bare sendmsg and recvmsg), and for what
// people would use instead. Rounds of all contenders alternate, so that they share the machine's moods; medians and their ratios are printed.
//
// It is a module of its own, so that what it is compared with is nobody else's dependency.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// contender is one way to hold the conversation. Both sides own the descriptors that they are given: the conversation's socket, and one on which those who cannot carry a descriptor send it.
type contender struct {
	name   string
	typ    int // of the socket; zero: in memory, between goroutines alone
	floor  string
	parent func(fd, side int) error
	child  func(fd, side int) error
}

// figure is what was measured of a contender in one setting.
type figure struct {
	contender
	times []time.Duration
}

func (f *figure) quantile(q float64) time.Duration {
	t := slices.Clone(f.times)
	slices.Sort(t)
	return t[int(q*float64(len(t)-1))]
}

func main() {
	rounds := flag.Int("rounds", 300, "how often each conversation is held")
	serve := flag.String("child", "", "be the child of this contender; not for people")
	flag.Parse()
	if *serve != "" {
		fail(serveChild(*serve))
		return
	}
	fail(run("between two goroutines", *rounds, goroutines))
	fail(run("between two processes", *rounds, processes))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "conversation:", err)
		os.Exit(1)
	}
}

// setting makes, of a contender, a function that holds one conversation.
type setting func(c contender) (once func() (time.Duration, error), stop func(), err error)

func run(title string, rounds int, s setting) error {
	var figures []*figure
	var onces []func() (time.Duration, error)
	for _, c := range contenders() {
		once, stop, err := s(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if once == nil {
			continue
		}
		defer stop()
		figures, onces = append(figures, &figure{contender: c}), append(onces, once)
	}
	const warm = 10
	for round := range rounds + warm {
		for i, once := range onces {
			d, err := once()
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", figures[i].name, round, err)
			}
			if round >= warm {
				figures[i].times = append(figures[i].times, d)
			}
		}
	}
	fmt.Print(table(title, rounds, figures))
	return nil
}

// table is the report of one setting.
func table(title string, rounds int, figures []*figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "A whole handshake %s, %d rounds, %d processors; microseconds\n", title, rounds, runtime.NumCPU())
	fmt.Fprintf(&b, "  %-32s %8s %8s %8s %9s\n", "", "median", "10 %", "90 %", "to floor")
	floors := map[string]time.Duration{}
	for _, f := range figures {
		if f.floor == f.name {
			floors[f.name] = f.quantile(0.5)
		}
	}
	micro := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/1000) }
	for _, f := range figures {
		ratio := ""
		if floor := floors[f.floor]; floor > 0 {
			ratio = fmt.Sprintf("%.2f", float64(f.quantile(0.5))/float64(floor))
		}
		fmt.Fprintf(&b, "  %-32s %8s %8s %8s %9s\n", f.name, micro(f.quantile(0.5)), micro(f.quantile(0.1)), micro(f.quantile(0.9)), ratio)
	}
	return b.String() + "\n"
}

// sockets are the two pairs of a conversation: its own, and that for a descriptor.
func sockets(typ int) (parent, child [2]int, err error) {
	if typ == 0 {
		return
	}
	for i, t := range []int{typ, unix.SOCK_SEQPACKET} {
		fds, err := unix.Socketpair(unix.AF_UNIX, t|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return parent, child, err
		}
		parent[i], child[i] = fds[0], fds[1]
	}
	return parent, child, nil
}

// goroutines holds the conversation within this process.
func goroutines(c contender) (func() (time.Duration, error), func(), error) {
	return func() (time.Duration, error) {
		p, ch, err := sockets(c.typ)
		if err != nil {
			return 0, err
		}
		done := make(chan error, 1)
		begun := time.Now()
		go func() { done <- c.child(ch[0], ch[1]) }()
		err = c.parent(p[0], p[1])
		took := time.Since(begun)
		if e := <-done; err == nil {
			err = e
		}
		return took, err
	}, func() {}, nil
}

// processes holds it with a child process that lives on, and gets its end of each conversation over a socket of its own: starting a process is not what is measured.
func processes(c contender) (func() (time.Duration, error), func(), error) {
	if c.typ == 0 {
		return nil, nil, nil
	}
	control, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	end := os.NewFile(uintptr(control[1]), "control")
	cmd := exec.Command("/proc/self/exe", "-child", c.name)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{end}, os.Stderr
	err = cmd.Start()
	_ = end.Close()
	if err != nil {
		return nil, nil, err
	}
	once := func() (time.Duration, error) {
		p, ch, err := sockets(c.typ)
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		err = unix.Sendmsg(control[0], []byte{1}, unix.UnixRights(ch[:]...), nil, unix.MSG_NOSIGNAL)
		_, _ = unix.Close(ch[0]), unix.Close(ch[1])
		if err != nil {
			return 0, err
		}
		err = c.parent(p[0], p[1])
		return time.Since(begun), err
	}
	return once, func() { _, _ = unix.Close(control[0]), cmd.Wait() }, nil
}

// serveChild is the child process: one conversation after the other, until the control socket closes.
func serveChild(name string) error {
	i := slices.IndexFunc(contenders(), func(c contender) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("no contender is called %q", name)
	}
	c := contenders()[i]
	for {
		fds, err := receiveFDs(3, 2)
		if err != nil || fds == nil {
			return err
		}
		if err := c.child(fds[0], fds[1]); err != nil {
			return fmt.Errorf("%s: child: %w", name, err)
		}
	}
}
