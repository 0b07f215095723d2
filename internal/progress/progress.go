// Package progress tells people on a terminal what a command is doing, if it takes more than a second.
package progress

import (
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/handfast/handfast/internal/sys"
)

// patience is how long a command works before its progress is shown.
const patience = time.Second

// Line shows the progress of one command.
type Line struct {
	out   *os.File
	what  string
	doing func() string
	began time.Time
	timer *time.Timer

	mu           sync.Mutex
	shown, ended bool
}

// Begin shows, if out is a terminal and End is not called within a second, what is being done: "handfast: delete web:
// end the processes ...". what names the command. doing returns the part of it that is under way when the line is
// shown; it is called from another goroutine. Before that second has passed nothing is read or written, so this costs a
// timer.
func Begin(out *os.File, what string, doing func() string) *Line {
	return begin(out, what, doing, patience)
}

func begin(out *os.File, what string, doing func() string, after time.Duration) *Line {
	l := &Line{out: out, what: what, doing: doing, began: time.Now()}
	l.timer = time.AfterFunc(after, l.show)
	return l
}

func (l *Line) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || !sys.IsTerminal(l.out) {
		return
	}
	text := "handfast: " + l.what
	if doing := l.doing(); doing != "" {
		text += ": " + doing
	}
	_, err := l.out.WriteString(text + " ...\n")
	l.shown = err == nil
}

// End says how long it took, if the progress was shown, or that it failed; the error itself is for the caller to show.
func (l *Line) End(err error) {
	l.timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if !l.shown {
		return
	}
	how := "done after "
	if err != nil {
		how = "failed after "
	}
	seconds := strconv.FormatFloat(time.Since(l.began).Seconds(), 'f', 1, 64)
	_, _ = l.out.WriteString("handfast: " + l.what + ": " + how + seconds + " s\n")
}
