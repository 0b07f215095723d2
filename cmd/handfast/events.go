package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/handfast/handfast/internal/lifecycle"
)

// events prints statistics: as events in JSON, as a table for people, or as metrics for a monitoring system.
func (in *invocation) events() (int, error) {
	if in.format == "" || in.format == "json" {
		one := in.command
		one.args, one.min, one.max = "ID", 1, 1
		if err := checkArgs(one, in.args); err != nil {
			return failed, err
		}
	}
	if err := in.checkEvents(); err != nil {
		return failed, fmt.Errorf("events: %w", err)
	}
	interval, err := in.eventInterval()
	if err != nil {
		return failed, fmt.Errorf("events: %w", err)
	}
	r, err := in.runtime()
	if err != nil {
		return failed, err
	}
	ctx := context.Background() // a signal may simply end it
	switch in.format {
	case "table":
		return 0, r.Usage(ctx, lifecycle.UsageOptions{IDs: in.args, Interval: interval, Once: in.once}, os.Stdout)
	case "openmetrics":
		text, err := r.Metrics(in.args)
		if err != nil {
			return failed, err
		}
		if in.output != "" {
			return 0, lifecycle.WriteMetrics(in.output, text)
		}
		return printText(text)
	}
	triggers, err := lifecycle.ParseTriggers(in.pressure)
	if err != nil {
		return failed, fmt.Errorf("events: --pressure: %w", err)
	}
	return 0, r.Events(ctx, in.args[0], lifecycle.EventsOptions{Interval: interval, Once: in.once, Pressure: triggers},
		os.Stdout)
}

// checkEvents refuses options that do not belong to the format.
func (in *invocation) checkEvents() error {
	switch in.format {
	case "", "json":
		if in.once && in.pressure != "" {
			return errors.New("--pressure: with --stats nobody waits for it; leave one of them out")
		}
	case "table", "openmetrics":
		if in.pressure != "" {
			return fmt.Errorf("--pressure belongs to --format json, and not to %s", in.format)
		}
	default:
		return fmt.Errorf("--format %q: want json, table or openmetrics", in.format)
	}
	if in.format != "openmetrics" && in.output != "" {
		return errors.New("--output belongs to --format openmetrics")
	}
	if in.format == "openmetrics" && in.interval != "" {
		return errors.New("--interval: metrics are printed once; run the command again for new ones")
	}
	return nil
}

// eventInterval returns the time between two readings.
func (in *invocation) eventInterval() (time.Duration, error) {
	switch {
	case in.interval == "" && in.format == "table":
		return time.Second, nil
	case in.interval == "":
		return 5 * time.Second, nil
	}
	d, err := time.ParseDuration(in.interval)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--interval %q: want a duration above zero, such as 5s", in.interval)
	}
	return d, nil
}
