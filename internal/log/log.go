// Package log writes the runtime's log in the two formats that container managers read: lines of text, or of JSON
// objects with level, msg and time. Behind these a line names, as far as they are known, the command, the container
// and the phase that it is about, and the errno of the error in it.
//
// Lines go to the log file, or without one to standard error, as callers of a runtime expect. The error that ends a
// command, and warnings about entries that a list cannot show, are on standard error in any case.
package log

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/oneline"
)

// Level is the level of a line, in the words that container managers look for.
type Level string

// The levels that the runtime writes.
const (
	Debug   Level = "debug"
	Warning Level = "warning"
	Error   Level = "error"
)

// Logger writes log lines. The zero value writes errors and warnings as text to standard error.
type Logger struct {
	json   bool
	least  rank
	file   *os.File
	daemon *daemon // in place of a file

	mu    sync.Mutex
	about Subject
	keep  bool // the phase no longer changes
}

// Subject is what a line is about. Empty fields are not written.
type Subject struct {
	Command   string        // of the command line
	Container string        // its id
	Phase     string        // of the command's work
	Errno     syscall.Errno // of the error that the line is about
}

// About sets what the following lines are about, in no phase.
func (l *Logger) About(command, container string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.about, l.keep = Subject{Command: command, Container: container}, false
}

// Enter sets the phase of the following lines. A nil Logger ignores it.
func (l *Logger) Enter(phase string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.keep {
		l.about.Phase = phase
	}
}

// KeepPhase keeps the present phase until About is called. A command that has failed calls it before it undoes what it
// did, so that the line with its error names the phase in which it failed.
func (l *Logger) KeepPhase() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = true
}

// Subject returns what lines without an error are about now.
func (l *Logger) Subject() Subject {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.about
}

// rank orders the levels. Its zero value is the default, from which on lines are written.
type rank int

const (
	debugging rank = iota - 1
	warnings
	errorsOnly
)

// Options say how and where to log.
type Options struct {
	// Path is a file to append to, optionally with "file:" before it; or "journald:" or "syslog:", with the name to log as
	// after the colon, empty for handfast; empty: standard error.
	Path   string
	Format string // "text", "json", or empty for text
	Level  string // the lowest that is written: "error", "warning", "debug", or empty for warning
	Debug  bool   // write lines of level debug too, whatever Level says
}

// leastOf returns the rank that the options set.
func leastOf(o Options) (rank, error) {
	least := map[string]rank{"": warnings, string(Error): errorsOnly, string(Warning): warnings, string(Debug): debugging}
	r, known := least[o.Level]
	switch {
	case !known:
		return warnings, fmt.Errorf("--log-level %q: want error, warning or debug", o.Level)
	case o.Debug:
		return debugging, nil
	}
	return r, nil
}

// Open makes a Logger. A missing file is created with mode 0644, and a pipe must have a reader. It is written with
// O_SYNC, because callers read it as soon as the runtime has ended. After an error the Logger is still usable, to log
// that error: it writes to standard error.
func Open(o Options) (*Logger, error) {
	l := &Logger{}
	var err error
	if l.least, err = leastOf(o); err != nil {
		return l, err
	}
	switch o.Format {
	case "", "text":
	case "json":
		l.json = true
	default:
		return l, fmt.Errorf("--log-format %q: want text or json", o.Format)
	}
	if o.Path == "" {
		return l, nil
	}
	if service, name, found := strings.Cut(o.Path, ":"); found && (service == journald || service == syslogd) {
		if l.daemon, err = dial(service, name); err != nil {
			return l, fmt.Errorf("--log %s: %w", o.Path, err)
		}
		return l, nil
	}
	path := strings.TrimPrefix(o.Path, "file:")
	// O_NONBLOCK is about pipes: without it, opening one waits until somebody reads it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|os.O_SYNC|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ENXIO) {
		return l, fmt.Errorf("--log: %w (a pipe that nobody reads, or a socket)", err)
	}
	if err != nil {
		return l, fmt.Errorf("--log: %w", err)
	}
	l.file = f
	return l, nil
}

// Debugf writes a line of level debug, if those are enabled. The errno of the line is that of the first error among the
// arguments.
func (l *Logger) Debugf(format string, args ...any) {
	if l.least <= debugging {
		l.write(Debug, fmt.Sprintf(format, args...), firstError(args))
	}
}

// Warnf writes a warning to the log file, or without one to standard error. Its errno is as that of Debugf.
func (l *Logger) Warnf(format string, args ...any) {
	if l.least <= warnings {
		l.write(Warning, fmt.Sprintf(format, args...), firstError(args))
	}
}

func firstError(args []any) error {
	for _, a := range args {
		if err, ok := a.(error); ok {
			return err
		}
	}
	return nil
}

// Show writes a warning that belongs to a command's output. With a log file it is written there and also, for people,
// to standard error without decoration.
func (l *Logger) Show(err error) {
	l.write(Warning, err.Error(), err)
	l.bare(err)
}

// Fail writes the error that ends a command. With a log file it is written there and also, for people, to standard
// error without decoration.
func (l *Logger) Fail(err error) {
	l.write(Error, err.Error(), err)
	l.bare(err)
}

// bare shows an error on standard error if the log is elsewhere.
func (l *Logger) bare(err error) {
	if l.file != nil || l.daemon != nil {
		_, _ = os.Stderr.WriteString("handfast: " + oneLine(err.Error()) + "\n")
	}
}

// Close closes the log file, or the connection to the logging service.
func (l *Logger) Close() error {
	if l.daemon != nil {
		l.daemon.close()
		l.daemon = nil
	}
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

func (l *Logger) out() *os.File {
	if l.file != nil {
		return l.file
	}
	return os.Stderr
}

func (l *Logger) write(level Level, msg string, err error) {
	about := l.Subject()
	_ = errors.As(err, &about.Errno) // without one it stays zero
	if l.daemon != nil {
		l.daemon.write(level, msg, about)
		return
	}
	// One write(2) for each line: with O_APPEND, lines of several processes do not mix. Errors are ignored, because there
	// is nowhere to report them.
	_, _ = l.out().Write(Line(l.json, level, msg, time.Now(), about))
}

// Line returns a log line with its newline. Times are in RFC 3339, in seconds and UTC.
func Line(asJSON bool, level Level, msg string, at time.Time, about Subject) []byte {
	stamp := at.UTC().Format(time.RFC3339)
	if !asJSON {
		b := []byte("time=" + strconv.Quote(stamp) + " level=" + string(level) + " msg=" + strconv.Quote(msg))
		for _, m := range [...]struct{ name, value string }{{"command", about.Command}, {"container", about.Container},
			{"phase", about.Phase}, {"errno", about.errno()}} {
			if m.value != "" {
				b = append(b, " "+m.name+"="+word(m.value)...)
			}
		}
		return append(b, '\n')
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // strings always encode
		Level     Level  `json:"level"`
		Msg       string `json:"msg"`
		Time      string `json:"time"`
		Command   string `json:"command,omitempty"`
		Container string `json:"container,omitempty"`
		Phase     string `json:"phase,omitempty"`
		Errno     string `json:"errno,omitempty"`
	}{level, msg, stamp, about.Command, about.Container, about.Phase, about.errno()})
	return b.Bytes()
}

// errno returns the name of the errno, or its number if this architecture has no name for it.
func (s *Subject) errno() string {
	name := unix.ErrnoName(s.Errno)
	if name == "" && s.Errno != 0 {
		name = strconv.Itoa(int(s.Errno))
	}
	return name
}

// word quotes a value if it is not one plain word.
func word(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._+@/", r)
	}) {
		return strconv.Quote(s)
	}
	return s
}

// oneLine returns a message without decoration: what a peer or a file may have put into it stays on one line, and no
// terminal obeys it.
func oneLine(s string) string { return oneline.Of(strings.TrimRight(s, "\n")) }
