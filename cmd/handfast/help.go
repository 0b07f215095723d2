package main

import (
	"fmt"
	"strings"
)

// width is the longest line of the help, in columns.
const width = 80

// helpText returns the help of the program as a whole. Like the help of every command, it begins with the same lines as
// runc's.
func helpText() string {
	var b strings.Builder
	b.WriteString("NAME:\n   handfast - an OCI runtime\n\n")
	b.WriteString("Usage: handfast [global options] COMMAND [options] [arguments]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.summary)
	}
	b.WriteString("\nGlobal options:\n")
	writeOptions(&b, globalOptions())
	return b.String()
}

// commandHelp returns the help of one command.
func commandHelp(c command) string {
	var b strings.Builder
	b.WriteString("NAME:\n   handfast " + c.name + " - " + c.summary + "\n\n")
	b.WriteString("Usage: handfast [global options] " + c.name + " [options]")
	if c.args != "" {
		b.WriteString(" " + c.args)
	}
	b.WriteString("\n\n")
	if c.details != "" {
		b.WriteString(wrap(c.details, "") + "\n")
	}
	b.WriteString("Options:\n")
	writeOptions(&b, append(c.options[:len(c.options):len(c.options)], helpOption()))
	return b.String()
}

func writeOptions(b *strings.Builder, options []option) {
	for _, o := range options {
		if o.help == "" {
			continue
		}
		b.WriteString("  --" + o.name)
		if o.short != "" {
			b.WriteString(", -" + o.short)
		}
		if o.value != "" {
			b.WriteString(" " + o.value)
		}
		b.WriteString("\n" + wrap(o.help, "        "))
	}
}

// wrap breaks text into lines of at most width columns, each with the indent before it.
func wrap(text, indent string) string {
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line) > len(indent) && len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = indent
		}
		if len(line) > len(indent) {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
	return b.String()
}
