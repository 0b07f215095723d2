package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/handfast/handfast/internal/trace"
	"github.com/handfast/handfast/syncproto/transcript"
)

// showTrace draws a transcript that --trace has written, and of one that was cut off what there is.
func (in *invocation) showTrace() (int, error) {
	var r io.Reader = os.Stdin
	if name := in.args[0]; name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return failed, err
		}
		defer f.Close()
		r = f
	}
	t, torn := transcript.Read(r)
	if torn != nil && !errors.Is(torn, transcript.ErrTorn) {
		return failed, fmt.Errorf("trace: %s: %w", in.args[0], torn)
	}
	text, err := trace.Draw(t, in.format)
	if err != nil {
		return failed, fmt.Errorf("trace: %s: %w", in.args[0], err)
	}
	if in.output != "" {
		err = os.WriteFile(in.output, []byte(text), 0o644)
	} else {
		_, err = os.Stdout.WriteString(text)
	}
	if err == nil && torn != nil {
		err = fmt.Errorf("trace: %s: %w; the part before that is shown", in.args[0], torn)
	}
	if err != nil {
		return failed, err
	}
	return 0, nil
}
