package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/handfast/handfast/internal/cgroupdriver"
	"github.com/handfast/handfast/internal/log"
	"github.com/handfast/handfast/internal/progress"
	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/spawn"
)

// failed is the exit status of the runtime's own failures.
const failed = 1

// invocation is a parsed command line.
type invocation struct {
	settings
	command command
	args    []string
	log     *log.Logger

	recorder *recording.Recorder // nil without --trace
}

// parse turns the arguments into an invocation. It is never nil: even if the rest of the command line is wrong, the
// global options that were read so far decide where the error is logged.
func parse(args []string) (*invocation, error) {
	in := &invocation{}
	fs := flagSet(globalOptions(), &in.settings)
	if err := fs.Parse(args); err != nil {
		return in, optionError(err, globalOptions())
	}
	args = fs.Args()
	if in.help || in.version {
		return in, nil
	}
	if len(args) == 0 {
		in.help = true
		return in, nil
	}
	c, found := commandByName(args[0])
	if !found {
		return in, unknownCommand(args[0])
	}
	in.command = c
	var err error
	in.args, err = parseCommand(append(c.options[:len(c.options):len(c.options)], helpOption()), args[1:], c.passes,
		&in.settings)
	if err != nil {
		return in, fmt.Errorf("%s: %w", c.name, err)
	}
	if in.help {
		return in, nil
	}
	return in, checkArgs(c, in.args)
}

func checkArgs(c command, args []string) error {
	n := len(args)
	if n >= c.min && (c.max < 0 || n <= c.max) {
		return nil
	}
	usage := "handfast " + c.name
	if c.args != "" {
		usage += " " + c.args
	}
	what := "too many arguments"
	if n < c.min {
		what = "too few arguments"
	}
	return fmt.Errorf("%s: %s: want %s", c.name, what, usage)
}

// runMain runs the command that args name and returns the exit status.
func runMain(args []string) int {
	in, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		in.help, err = true, nil
	}
	options := log.Options{Path: in.settings.log, Format: in.logFormat, Level: in.logLevel, Debug: in.debug}
	if err == nil {
		if err = checkRoom(in.command); err != nil {
			options.Path = "" // no descriptor may be left to open it
		}
	}
	logger, logErr := log.Open(options)
	in.log = logger
	defer logger.Close()
	logger.About(in.command.name, in.container())
	if err == nil {
		err = logErr
	}
	status := 0
	if err == nil {
		status, err = in.carryOut()
	}
	if err == nil {
		return status
	}
	var start *spawn.StartError
	if errors.As(err, &start) && start.Detail() != "" {
		logger.Debugf("the conversation with the container's process: %s", start.Detail())
	}
	logger.Fail(err)
	return exitStatus(status, err)
}

func (in *invocation) carryOut() (int, error) {
	switch {
	case in.help && in.command.name != "":
		return printText(commandHelp(in.command))
	case in.help:
		return printText(helpText())
	case in.version:
		return printText(versionText())
	}
	switch in.cgroupManager {
	case "", cgroupdriver.Filesystem, cgroupdriver.Systemd, cgroupdriver.None:
	default:
		return failed, fmt.Errorf("--cgroup-manager %q: want cgroupfs, systemd or disabled", in.cgroupManager)
	}
	if in.systemdCgroup {
		if in.cgroupManager != "" && in.cgroupManager != cgroupdriver.Systemd {
			return failed, fmt.Errorf("--systemd-cgroup and --cgroup-manager %s: want one of them", in.cgroupManager)
		}
		in.cgroupManager = cgroupdriver.Systemd
	}
	switch in.rootless {
	case "", "auto", "true", "false":
	default:
		return failed, fmt.Errorf("--rootless %q: want true, false or auto", in.rootless)
	}
	return in.record()
}

// record runs the command, and with --trace writes down what it does. A trace that cannot be written does not end the
// command.
func (in *invocation) record() (status int, err error) {
	if in.trace != "" {
		if in.recorder, err = recording.Open(in.trace, in.command.name, in.container()); err != nil {
			return failed, fmt.Errorf("--trace: %w", err)
		}
	}
	status, err = in.showingProgress()
	if e := in.recorder.End(exitStatus(status, err), err); e != nil {
		in.log.Warnf("--trace %s: %v: the trace is not complete", in.trace, e)
	}
	return status, err
}

// showingProgress runs the command, and shows its phases if it is slow and somebody waits for it at a terminal.
func (in *invocation) showingProgress() (int, error) {
	if !in.command.slow {
		return in.command.run(in)
	}
	what, container := in.command.name, in.container()
	if container != "" {
		what += " " + container
	}
	line := progress.Begin(os.Stderr, what, func() string {
		about := in.log.Subject()
		if about.Container != container {
			return about.Container + ": " + about.Phase
		}
		return about.Phase
	})
	status, err := in.command.run(in)
	line.End(err)
	return status, err
}

// exitStatus returns the status with which the command ends.
func exitStatus(status int, err error) int {
	if err != nil && status == 0 {
		return failed
	}
	return status
}

// container returns the id of the container that the command is about, or "" if that is none or several.
func (in *invocation) container() string {
	words := strings.Fields(in.command.args)
	at := slices.IndexFunc(words, func(w string) bool { return w == "ID" || w == "ID..." || w == "[ID...]" })
	if at < 0 || at >= len(in.args) || words[at] != "ID" && len(in.args) > 1 || in.regex {
		return ""
	}
	return in.args[at]
}

// printText writes the output of a command to standard output. It fails only if the reader has gone away.
func printText(text string) (int, error) {
	if _, err := os.Stdout.WriteString(text); err != nil {
		return failed, err
	}
	return 0, nil
}

func (in *invocation) helpCommand() (int, error) {
	if len(in.args) == 0 {
		return printText(helpText())
	}
	c, found := commandByName(in.args[0])
	if !found {
		return failed, unknownCommand(in.args[0])
	}
	return printText(commandHelp(c))
}
