package main

import (
	"flag"
	"io"

	"github.com/handfast/handfast/internal/criu/plan"
)

// settings holds the value of every option of every command.
type settings struct {
	// global options
	root, log, logFormat, rootless, cgroupManager string
	debug, systemdCgroup                          bool
	version, help                                 bool

	// options of commands
	bundle, pidFile, consoleSocket, trace, format string
	preserveFDs                                   int
	detach, keep, noSubreaper, noPivot            bool
	noNewKeyring, force, all, quiet, rootlessSpec bool
	match, socket, output                         string
	processFile, cwd, user, pidfdSocket           string
	processLabel, apparmor                        string
	env, additionalGIDs, caps, execCgroups        []string
	tty, noNewPrivs, ignorePaused, regex          bool
	config, logLevel                              string
	interval, pressure                            string
	once                                          bool
	tap                                           bool
	timeout, conversation                         int
	call, arch, profileOf                         string
	criu                                          plan.Flags
	statusFD                                      string

	resources string
	limits    map[string]*string // of update, by the option's name
}

// option is one row of the table: how an option is written, where its value goes, and what its help says.
type option struct {
	name, short string
	value       string // the value's name in the help; empty: a switch
	help        string // empty: accepted and not shown
	into        func(*settings) any
}

// flagSet returns the standard library's parser for the options. It accepts "-x v", "--x v", "-x=v" and "--x=v", as
// runc does.
func flagSet(options []option, s *settings) *flag.FlagSet {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, o := range options {
		for _, name := range []string{o.name, o.short} {
			if name != "" {
				bind(fs, name, o.into(s))
			}
		}
	}
	return fs
}

func bind(fs *flag.FlagSet, name string, into any) {
	switch p := into.(type) {
	case *bool:
		fs.BoolVar(p, name, *p, "")
	case *string:
		fs.StringVar(p, name, *p, "")
	case *int:
		fs.IntVar(p, name, *p, "")
	case *[]string:
		fs.Func(name, "", func(value string) error { *p = append(*p, value); return nil })
	}
}

// parseCommand reads a command's options, which may come before, between and after its arguments; "--" ends them. With
// passes the first argument ends them too: what follows belongs to another program.
func parseCommand(options []option, args []string, passes bool, s *settings) (rest []string, err error) {
	fs := flagSet(options, s)
	for {
		if err := fs.Parse(args); err != nil {
			return nil, optionError(err, options)
		}
		left := fs.Args()
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		if len(left) == 0 || passes {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}
