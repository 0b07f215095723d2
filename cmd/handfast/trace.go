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
	if err := in.checkTrace(); err != nil {
		return failed, fmt.Errorf("trace: %w", err)
	}
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
		if err = os.WriteFile(in.output, []byte(text), 0o644); err != nil {
			err = fmt.Errorf("trace: --output: %w", err)
		}
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

// checkTrace refuses options that do not belong together, and a drawing in place of what is drawn.
func (in *invocation) checkTrace() error {
	if in.conversation != 0 && in.format != "transcript" {
		return errors.New("--conversation belongs to --format transcript")
	}
	if in.output == "" {
		return nil
	}
	output, err := os.Stat(in.output)
	if err != nil {
		return nil // it is new; another error comes when it is written
	}
	for _, name := range in.args {
		if file, err := os.Stat(name); err == nil && file.Mode().IsRegular() && os.SameFile(file, output) {
			return fmt.Errorf("--output %s: it is the file %s that is to be shown", in.output, name)
		}
	}
	return nil
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
