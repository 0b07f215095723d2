package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/handfast/handfast/internal/conformance"
)

// conformance runs a child program against the protocol's conformance vectors. Its status is 1 if one of them fails.
func (in *invocation) conformance() (int, error) {
	if in.timeout < 0 {
		return failed, fmt.Errorf("conformance: --timeout %d: want a number of seconds", in.timeout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	r, err := conformance.Run(ctx, conformance.Options{
		Command: in.args, Match: in.match, Socket: in.socket, TAP: in.tap, Timeout: time.Duration(in.timeout) * time.Second,
		Out: os.Stdout,
	})
	if err != nil {
		return failed, fmt.Errorf("conformance: %w", err)
	}
	if r.Failed > 0 {
		return failed, fmt.Errorf("conformance: %d of %d cases failed", r.Failed, r.OK+r.Failed)
	}
	return 0, nil
}
