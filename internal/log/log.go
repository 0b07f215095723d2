// Package log writes the runtime's log in the two formats that container managers read: lines of text, or of JSON
// objects with level, msg and time.
//
// Lines go to the log file, or without one to standard error, as callers of a runtime expect. The error that ends a
// command, and warnings about entries that a list cannot show, are on standard error in any case.
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

// Open makes a Logger. A missing file is created with mode 0644. It is written with O_SYNC, because callers read it as
// soon as the runtime has ended. After an error the Logger is still usable, to log that error: it writes to standard
// error.
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

// Debugf writes a line of level debug, if those are enabled.
func (l *Logger) Debugf(format string, args ...any) {
	if l.least <= debugging {
		l.write(Debug, fmt.Sprintf(format, args...))
	}
}

// Warnf writes a warning to the log file, or without one to standard error.
func (l *Logger) Warnf(format string, args ...any) {
	if l.least <= warnings {
		l.write(Warning, fmt.Sprintf(format, args...))
	}
}

// Show writes a warning that belongs to a command's output. With a log file it is written there and also, for people,
// to standard error without decoration.
func (l *Logger) Show(err error) {
	l.write(Warning, err.Error())
	l.bare(err)
}

// Fail writes the error that ends a command. With a log file it is written there and also, for people, to standard
// error without decoration.
func (l *Logger) Fail(err error) {
	l.write(Error, err.Error())
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

func (l *Logger) write(level Level, msg string) {
	if l.daemon != nil {
		l.daemon.write(level, msg)
		return
	}
	// One write(2) for each line: with O_APPEND, lines of several processes do not mix. Errors are ignored, because there
	// is nowhere to report them.
	_, _ = l.out().Write(Line(l.json, level, msg, time.Now()))
}

// Line returns a log line with its newline. Times are in RFC 3339, in seconds and UTC.
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

// oneLine replaces control characters, which a peer or a file may have put into a message, so that it stays one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.TrimRight(s, "\n"))
}
