package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// man prints the manual page of the program or of one command as man(7) source, or writes all of them to files.
func (in *invocation) man() (int, error) {
	if in.output != "" {
		return in.writeManual()
	}
	if len(in.args) == 0 {
		return printText(manual())
	}
	c, found := commandByName(in.args[0])
	if !found {
		return failed, unknownCommand(in.args[0])
	}
	return printText(commandManual(c))
}

// writeManual writes every page to a file of its name in the directory --output.
func (in *invocation) writeManual() (int, error) {
	if len(in.args) > 0 {
		return failed, fmt.Errorf("man: --output writes every page: give it without %s", in.args[0])
	}
	for name, page := range manualPages() {
		if err := os.WriteFile(filepath.Join(in.output, name), []byte(page), 0o644); err != nil {
			return failed, fmt.Errorf("man: %w", err)
		}
	}
	return 0, nil
}

// manualPages returns every page by the name of its file.
func manualPages() map[string]string {
	pages := map[string]string{"handfast.8": manual()}
	for _, c := range commands() {
		pages["handfast-"+c.name+".8"] = commandManual(c)
	}
	return pages
}

// manual returns the page handfast(8).
func manual() string {
	var b strings.Builder
	manualHead(&b, "handfast", "an OCI runtime")
	b.WriteString(".SH SYNOPSIS\n.B handfast\n[\\fIglobal options\\fR] \\fICOMMAND\\fR [\\fIoptions\\fR] " +
		"[\\fIarguments\\fR]\n" +
		".SH DESCRIPTION\n" + roff("Makes containers as the runtime specification of the Open Container Initiative says, "+
		"from a bundle: a directory with a config.json and the root file system that it names.") +
		"\n.SH COMMANDS\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, ".TP\n.BR handfast\\-%s (8)\n%s\n", roff(c.name), roff(c.summary))
	}
	b.WriteString(".SH GLOBAL OPTIONS\n")
	manOptions(&b, globalOptions())
	b.WriteString(".SH EXIT STATUS\n0, or 1 for an error.\n.B run\nand\n.B exec\nin the foreground end with the status " +
		"of the process, and with 128 and the signal's number if a signal ended it;\n.B exec\nends with 255 if the process " +
		"could not be started.\n.SH SEE ALSO\n.BR runc (8),\n.BR cgroups (7),\n.BR namespaces (7)\n")
	return b.String()
}

// commandManual returns the page of one command, handfast-NAME(8).
func commandManual(c command) string {
	var b strings.Builder
	manualHead(&b, "handfast-"+c.name, c.summary)
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B handfast\n[\\fIglobal options\\fR]\n.B %s\n[\\fIoptions\\fR] %s\n", roff(c.name),
		roff(c.args))
	if c.details != "" {
		b.WriteString(".SH DESCRIPTION\n" + roff(c.details) + "\n")
	}
	b.WriteString(".SH OPTIONS\n")
	manOptions(&b, optionsOf(c))
	b.WriteString(".SH SEE ALSO\n.BR handfast (8)\n")
	return b.String()
}

func manualHead(b *strings.Builder, name, what string) {
	fmt.Fprintf(b, ".TH %s 8 \"\" handfast \"System Manager's Manual\"\n.SH NAME\n%s \\- %s\n",
		strings.ToUpper(roff(name)), roff(name), roff(what))
}

func manOptions(b *strings.Builder, options []option) {
	for _, o := range options {
		if o.help == "" {
			continue
		}
		b.WriteString(".TP\n\\fB\\-\\-" + roff(o.name) + "\\fR")
		if o.short != "" {
			b.WriteString(", \\fB\\-" + o.short + "\\fR")
		}
		if o.value != "" {
			b.WriteString(" \\fI" + roff(o.value) + "\\fR")
		}
		b.WriteString("\n" + roff(o.help) + "\n")
	}
}

// roff escapes text for man(7).
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
