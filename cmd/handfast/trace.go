package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/handfast/handfast/internal/lifecycle"
	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/internal/trace"
)

// showTrace draws the commands of files that --trace has written, and of a damaged file what can be read.
func (in *invocation) showTrace() (int, error) {
	var all []*recording.Command
	var damage []error
	for _, name := range in.args {
		commands, err := readRecording(name)
		if err != nil {
			err = fmt.Errorf("trace: %s: %w", name, err)
		}
		if err != nil && !errors.Is(err, recording.ErrDamaged) {
			return failed, err
		}
		all, damage = append(all, commands...), append(damage, err)
	}
	recording.Sort(all)
	text, err := in.draw(all)
	if err != nil {
		return failed, lifecycle.Join(append(damage, fmt.Errorf("trace: %s: %w", in.args[0], err))...)
	}
	if in.output != "" {
		err = os.WriteFile(in.output, []byte(text), 0o644)
	} else {
		_, err = os.Stdout.WriteString(text)
	}
	if err != nil {
		return failed, err
	}
	if err := lifecycle.Join(damage...); err != nil {
		return failed, fmt.Errorf("%w; the rest is shown", err)
	}
	return 0, nil
}

func (in *invocation) draw(all []*recording.Command) (string, error) {
	if in.format == "transcript" {
		text, err := recording.Transcript(all, in.conversation)
		return string(text), err
	}
	return trace.Draw(all, in.format)
}

// readRecording reads one file; - is standard input.
func readRecording(name string) ([]*recording.Command, error) {
	var r io.Reader = os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	return recording.Read(r)
}
