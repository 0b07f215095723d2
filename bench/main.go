// Command bench measures handfast beside runc, crun, bubblewrap and a floor written in C: one host, one run, one
// bundle, each contender in turn. See README.md in this directory for what is measured and how to read it.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

type options struct {
	rounds, warmup int
	handfast       string
	json           string
	svg            string
	account        bool
	scale          bool
	record         string
	against        string
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == meterCommand {
		os.Exit(goMeter(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == accountCommand {
		os.Exit(accountant(os.Args[2:]))
	}
	if len(os.Args) == 3 && os.Args[1] == scaleCommand {
		os.Exit(loader())
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 50, "how many samples of each contender")
	flag.IntVar(&o.warmup, "warmup", 5, "how many runs of each contender before the first sample")
	flag.StringVar(&o.handfast, "handfast", "", "the handfast binary to measure (\"none\": leave it out; default: build "+
		"./cmd/handfast)")
	flag.StringVar(&o.json, "json", "", "also write every sample to this file (\"-\": print only that)")
	flag.StringVar(&o.svg, "svg", "", "also draw the wall times to this file")
	flag.StringVar(&o.record, "record", "", "also write the ratios to this file, for -against")
	flag.StringVar(&o.against, "against", "", "print the ratios of handfast beside those of this record, and nothing else")
	flag.BoolVar(&o.account, "account", false, "measure handfast alone, and tell where the time of each command goes")
	flag.BoolVar(&o.scale, "scale", false, "measure the OCI runtimes with several starts at once, and beside many "+
		"containers")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case o.rounds < 1 || o.warmup < 0:
		return errors.New("-rounds must be at least 1 and -warmup at least 0")
	case os.Geteuid() != 0:
		return errors.New("needs root: runc, crun and the floor make namespaces and device nodes")
	}
	if o.scale {
		return takeScale(o)
	}
	if o.account {
		return takeAccounts(o)
	}
	var old record
	if o.against != "" {
		if old, err = readRecord(o.against); err != nil {
			return err
		}
	}
	w, err := newWorkshop(o.handfast, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	all, err := w.start()
	defer func() { err = errors.Join(err, all.stop()) }()
	if err != nil {
		return err
	}
	// An interrupt ends the run between two samples, so that nothing is left half-made.
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	if err := all.measure(o.warmup, o.rounds, interrupt); err != nil {
		return err
	}
	r := newReport(w, all)
	if o.json != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if o.json == "-" {
			fmt.Printf("%s\n", text)
			return nil
		}
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.svg != "" {
		if err := os.WriteFile(o.svg, []byte(r.Plot()), 0o644); err != nil {
			return err
		}
	}
	if o.record != "" {
		if err := r.record().write(o.record); err != nil {
			return err
		}
	}
	if o.against != "" {
		fmt.Print(comparison(old, r.record()))
		return nil
	}
	fmt.Print(r.Text())
	return nil
}
