package log

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The services that take log lines in place of a file, and their sockets.
const (
	journald = "journald"
	syslogd  = "syslog"

	journalSocket = "/run/systemd/journal/socket" // systemd.journal-fields(7); JOURNAL_NATIVE_PROTOCOL
	syslogSocket  = "/dev/log"                    // syslog(3)
)

// facility is LOG_DAEMON of syslog(3).
const facility = 3

// daemon is a connection to one of them.
type daemon struct {
	fd      int
	name    string
	journal bool
}

// dial connects to the service. An empty name is handfast.
func dial(service, name string) (*daemon, error) {
	if name == "" {
		name = "handfast"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '[' || r == ':' }) {
		return nil, fmt.Errorf("%q is not a name to log as: want letters, digits and the like", name)
	}
	socket := syslogSocket
	if service == journald {
		socket = journalSocket
	}
	return dialSocket(socket, name, service == journald)
}

func dialSocket(socket, name string, journal bool) (*daemon, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "connect", Path: socket, Err: err}
	}
	return &daemon{fd: fd, name: name, journal: journal}, nil
}

// write sends one line, and cuts it if it is too long for a datagram. It does not wait for a service that does not
// read, because the runtime must not hang for its log. Errors are ignored, because there is nowhere to report them.
func (d *daemon) write(level Level, msg string, about Subject) {
	msg = oneLine(msg)
	for {
		text := d.datagram(level, msg, time.Now(), about)
		_, err := unix.SendmsgN(d.fd, text, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EMSGSIZE) || len(msg) < 2 {
			return
		}
		msg = strings.ToValidUTF8(msg[:len(msg)/2], "")
	}
}

// datagram returns a line in the format of the service.
func (d *daemon) datagram(level Level, msg string, at time.Time, about Subject) []byte {
	severity := map[Level]int{Error: 3, Warning: 4, Debug: 7}[level] // LOG_ERR and so on, syslog(3)
	if d.journal {
		return []byte("PRIORITY=" + strconv.Itoa(severity) + "\nSYSLOG_FACILITY=" + strconv.Itoa(facility) +
			"\nSYSLOG_IDENTIFIER=" + d.name + "\n" + journalFields(about) + "MESSAGE=" + msg + "\n")
	}
	// RFC 3164 as the C library writes it.
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", facility<<3|severity, at.Format(time.Stamp), d.name, os.Getpid(), msg)
}

// journalFields returns what a line is about. ERRNO is one of systemd.journal-fields(7), a number.
func journalFields(about Subject) string {
	text := ""
	for _, f := range [...]struct{ name, value string }{{"HANDFAST_COMMAND", about.Command},
		{"HANDFAST_CONTAINER", about.Container}, {"HANDFAST_PHASE", about.Phase}} {
		if f.value != "" {
			text += f.name + "=" + oneLine(f.value) + "\n"
		}
	}
	if about.Errno != 0 {
		text += "ERRNO=" + strconv.Itoa(int(about.Errno)) + "\n"
	}
	return text
}

func (d *daemon) close() { _ = unix.Close(d.fd) }
