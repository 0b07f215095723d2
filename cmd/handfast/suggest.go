package main

import (
	"flag"
	"fmt"
	"strings"
)

// unknownCommand is the error for a command that does not exist. It names the one that was probably meant, and ends
// with runc's words.
func unknownCommand(name string) error {
	var all []string
	for _, c := range commands() {
		all = append(all, c.name)
	}
	hint := "see --help"
	if name == "stats" || name == "top" { // of docker, podman and nerdctl, for the same table
		hint = "did you mean events --format table?"
	} else if best := nearest(name, all); best != "" {
		hint = "did you mean " + best + "?"
	}
	return fmt.Errorf("unknown command %q (%s): No help topic for '%s'", name, hint, name)
}

// optionError rewords an error of package flag for people who know nothing of that package.
func optionError(err error, options []option) error {
	if err == flag.ErrHelp {
		return err
	}
	text := err.Error()
	if name, found := strings.CutPrefix(text, "flag provided but not defined: -"); found {
		hint := "see --help"
		if best := nearest(name, optionNames(options)); best != "" {
			hint = "did you mean " + dashed(best) + "?"
		}
		return fmt.Errorf("unknown option %s (%s)", dashed(name), hint)
	}
	if name, found := strings.CutPrefix(text, "flag needs an argument: -"); found {
		return fmt.Errorf("option %s needs a value, %s (see --help)", dashed(name), valueName(name, options))
	}
	if rest, found := strings.CutPrefix(text, "invalid boolean value "); found {
		if value, name, found := cutValue(rest, " for -"); found {
			return fmt.Errorf("option %s: %s is neither true nor false (see --help)", dashed(name), value)
		}
	}
	if rest, found := strings.CutPrefix(text, "invalid value "); found {
		if value, name, found := cutValue(rest, " for flag -"); found {
			return fmt.Errorf("option %s: %s is not a number, or out of range (see --help)", dashed(name), value)
		}
	}
	return fmt.Errorf("%s (see --help)", text)
}

// cutValue splits text into a quoted value and the name of its option, which ends at a colon.
func cutValue(text, between string) (value, name string, found bool) {
	i := strings.LastIndex(text, between)
	if i < 0 {
		return "", "", false
	}
	name, _, found = strings.Cut(text[i+len(between):], ":")
	return text[:i], name, found
}

// dashed returns an option's name as it is typed, with its dashes.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// optionNames returns the long names of the options that the help shows.
func optionNames(options []option) (all []string) {
	for _, o := range options {
		if o.help != "" {
			all = append(all, o.name)
		}
	}
	return all
}

// valueName returns what the help calls the value of an option.
func valueName(name string, options []option) string {
	for _, o := range options {
		if name == o.name || name == o.short {
			return o.value
		}
	}
	return "VALUE"
}

// nearest returns the name that was probably meant by what was typed, or an empty string if none is close: up to a
// third of the letters may be wrong.
func nearest(typed string, names []string) (best string) {
	least := len(typed)/3 + 1
	for _, name := range names {
		if d := distance(typed, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance returns how many letters must be inserted, deleted, changed, or swapped with a neighbour to turn a into b
// (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
