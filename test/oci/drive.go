package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/handfast/handfast/internal/testenv/room"
	"github.com/handfast/handfast/internal/testenv/tap"
)

// result is the result of one program of the suite.
type result struct {
	program    string
	assertions []tap.Assertion
	took       time.Duration
}

// runAll runs the programs one after another, because they use the same group names.
func runAll(ctx context.Context, s *suite, o options) []result {
	var all []result
	for _, program := range s.programs {
		if ctx.Err() != nil {
			break
		}
		all = append(all, runOne(ctx, s, program, o))
	}
	return all
}

func runOne(ctx context.Context, s *suite, program string, o options) result {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	temporary := filepath.Join(s.dir, "tmp")
	if err := os.Mkdir(temporary, 0o755); err != nil {
		return result{program: program, assertions: []tap.Assertion{{Text: err.Error()}}}
	}
	defer os.RemoveAll(temporary)
	begin := time.Now()
	stdout, stderr, err := room.Room{
		Name: program, Args: []string{"./" + program}, Dir: s.dir,
		Env: []string{"RUNTIME=" + s.runtime, "TMPDIR=" + temporary},
	}.Run(ctx)
	r := result{program: program, assertions: tap.Parse(string(stdout)), took: time.Since(begin)}
	// Some programs only report by their status.
	if err != nil {
		r.assertions = append(r.assertions, tap.Assertion{Text: "ended: " + err.Error(), Details: indent(string(stderr))})
	} else if len(r.assertions) == 0 {
		r.assertions = []tap.Assertion{{Text: "ended: exit status 0", OK: true}}
	}
	if o.output != "" {
		text := fmt.Sprintf("%s\n--- standard error\n%s\n--- %v\n", stdout, stderr, err)
		if err := os.WriteFile(filepath.Join(o.output, program+".tap"), []byte(text), 0o644); err != nil {
			r.assertions = append(r.assertions, tap.Assertion{Text: err.Error()})
		}
	}
	return r
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
