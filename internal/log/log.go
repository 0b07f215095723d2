// Package log writes the runtime's log in the two formats that container managers read: one line of text, or one JSON
// object a line with level, msg and time.
//
// Where a line goes is what callers of a runtime are used to: to the log file, and without one to standard error. The
// one error that ends a command, and what a list cannot show, are on standard error in any case.
package log

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Level is how grave a line is, in the words that container managers look for.
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
}

// rank orders the levels by how grave they are. Its zero is what is written where nobody asks for more or less.
type rank int

const (
	debugging rank = iota - 1
	warnings
	errorsOnly
)

// Options say how and where to log.
type Options struct {
	// Path is a file to append to, by itself or behind "file:"; or "journald:" or "syslog:", with the name to log as
	// behind the colon, empty for handfast; empty: standard error.
	Path   string
	Format string // "text", "json", or empty for text
	Level  string // the least grave that is written: "error", "warning", "debug", or empty for warning
	Debug  bool   // write lines of level debug too, whatever Level says
}

// leastOf is the rank that the options ask for.
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

// Open makes a Logger. The file is created with mode 0644 where it is missing and written with O_SYNC, because whoever
// reads it does so as soon as the runtime has ended. On an error the Logger is still usable, for telling of the error
// itself: it writes to standard error.
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|os.O_SYNC, 0o644)
	if err != nil {
		return l, fmt.Errorf("--log: %w", err)
	}
	l.file = f
	return l, nil
}

// Debugf writes a line of level debug if they were asked for.
func (l *Logger) Debugf(format string, args ...any) {
	if l.least <= debugging {
		l.write(Debug, fmt.Sprintf(format, args...))
	}
}

// Warnf writes a warning to the log file, or without one to standard error: what nobody sees warns nobody.
func (l *Logger) Warnf(format string, args ...any) {
	if l.least <= warnings {
		l.write(Warning, fmt.Sprintf(format, args...))
	}
}

// Show writes a warning that belongs to a command's answer: with a log file it is in there and, for people, bare on
// standard error as well.
func (l *Logger) Show(err error) {
	l.write(Warning, err.Error())
	l.bare(err)
}

// Fail writes the error that ends a command. With a log file it is in there and, for people, bare on standard error as
// well.
func (l *Logger) Fail(err error) {
	l.write(Error, err.Error())
	l.bare(err)
}

// bare shows an error to people where the log is somewhere else.
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

func (l *Logger) write(level Level, msg string) {
	if l.daemon != nil {
		l.daemon.write(level, msg)
		return
	}
	// One write(2) a line: with O_APPEND lines of several processes do not mix. There is nowhere to report a failing log
	// to.
	_, _ = l.out().Write(Line(l.json, level, msg, time.Now()))
}

// Line is one log line with its newline. Times are in RFC 3339, seconds, UTC.
func Line(asJSON bool, level Level, msg string, at time.Time) []byte {
	stamp := at.UTC().Format(time.RFC3339)
	if !asJSON {
		return []byte("time=" + strconv.Quote(stamp) + " level=" + string(level) + " msg=" + strconv.Quote(msg) + "\n")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // strings always encode
		Level Level  `json:"level"`
		Msg   string `json:"msg"`
		Time  string `json:"time"`
	}{level, msg, stamp})
	return b.Bytes()
}

// oneLine keeps what a peer or a file put into a message from breaking the promise of one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(s, "\n"))
}
