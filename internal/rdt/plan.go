package rdt

import (
	"fmt"
	"slices"
	"strings"
)

// Config is linux.intelRdt.
type Config struct {
	ClosID           string   `json:"closID,omitempty"`           // "/" is the root class; empty: the container's id
	Schemata         []string `json:"schemata,omitempty"`         // lines as they are
	L3CacheSchema    string   `json:"l3CacheSchema,omitempty"`    // lines
	MemBwSchema      string   `json:"memBwSchema,omitempty"`      // one line
	EnableMonitoring bool     `json:"enableMonitoring,omitempty"` // a monitoring group of the container's own
	EnableCMT        bool     `json:"enableCMT,omitempty"`        // of versions before 1.3: either is EnableMonitoring
	EnableMBM        bool     `json:"enableMBM,omitempty"`
}

// empty reports whether the configuration holds nothing: the class is then named after the container, config-linux.md.
func (c *Config) empty() bool {
	return c.ClosID == "" && len(c.Schemata) == 0 && c.L3CacheSchema == "" && c.MemBwSchema == "" &&
		!c.EnableMonitoring && !c.EnableCMT && !c.EnableMBM
}

// Group is where a container's processes go.
type Group struct {
	Class   string   // directory below the root of resctrl; empty: the root class
	Schema  []string // lines of its file schemata; none: they stay as they are
	Given   bool     // the configuration named the class: without a Schema it must exist already
	Monitor string   // name of a monitoring group in the class; empty: none
	// Optional: only a class is requested, so on a host without resctrl there is nothing to do.
	Optional bool
}

// Plan decides which group the container id goes to, and refuses names and lines that would address another file or
// another line. It is pure. Errors begin with the property below linux.intelRdt.
func Plan(c *Config, id string) (Group, error) {
	g := Group{Class: c.ClosID, Given: c.ClosID != "", Optional: c.empty()}
	switch c.ClosID {
	case "":
		g.Class = id
	case "/":
		g.Class = ""
	}
	if err := className(c.ClosID, g.Class); err != nil {
		return Group{}, err
	}
	if c.EnableMonitoring || c.EnableCMT || c.EnableMBM {
		g.Monitor = id
	}
	var err error
	g.Schema, err = Lines(c.L3CacheSchema, c.MemBwSchema, c.Schemata)
	return g, err
}

// className checks that name can be the directory of a class (fs/resctrl/rdtgroup.c, rdtgroup_mkdir).
func className(given, name string) error {
	if given == "/" {
		return nil
	}
	if name == "." || name == ".." || strings.ContainsAny(name, "/\n\x00") ||
		slices.Contains([]string{"info", "mon_groups", "mon_data"}, name) || len(name) > 255 {
		return fmt.Errorf("closID: %q cannot be the name of a class; want one word, or / for the root class", name)
	}
	return nil
}

// Lines returns the lines for a schemata file: those of the cache, without lines about memory bandwidth if there is a
// separate one, that one, then the others as they are (config-linux.md, "IntelRdt").
func Lines(l3, memory string, others []string) ([]string, error) {
	var all []string
	for line := range strings.Lines(l3) {
		line = strings.TrimSuffix(line, "\n")
		bandwidth := strings.HasPrefix(strings.TrimSpace(line), "MB:")
		switch {
		case line == "" || bandwidth && memory != "":
		case !strings.HasPrefix(strings.TrimSpace(line), "L3") && !bandwidth:
			return nil, fmt.Errorf("l3CacheSchema: %q does not begin with L3", line)
		default:
			all = append(all, line)
		}
	}
	if memory != "" {
		if !strings.HasPrefix(memory, "MB:") {
			return nil, fmt.Errorf("memBwSchema: %q does not begin with %q", memory, "MB:")
		}
		all = append(all, memory)
	}
	for i, line := range others {
		if line == "" {
			return nil, fmt.Errorf("schemata[%d]: the line is empty", i)
		}
		all = append(all, line)
	}
	for _, line := range all {
		if name, domains, found := strings.Cut(line, ":"); !found || strings.TrimSpace(name) == "" || domains == "" ||
			strings.ContainsAny(line, "\n\x00") {
			return nil, fmt.Errorf("schema %q is not one line of the form L3:0=f;1=f", line)
		}
	}
	return all, nil
}

// Match checks that a schemata file has the values of lines for each domain that they name, in any order and with any
// number of leading zeros. The error names the first line that differs.
func Match(file string, lines []string) error {
	have := map[string]string{}
	for line := range strings.Lines(file) {
		parseLine(line, func(name, domain, value string) { have[name+" "+domain] = value })
	}
	for _, line := range lines {
		same := true
		parseLine(line, func(name, domain, value string) {
			was, ok := have[name+" "+domain]
			same = same && ok && was == value
		})
		if !same {
			return fmt.Errorf("the class exists and its schemata does not have %q", line)
		}
	}
	return nil
}

// parseLine parses one line of a schemata file.
func parseLine(line string, each func(name, domain, value string)) {
	name, domains, _ := strings.Cut(strings.TrimSpace(line), ":")
	for part := range strings.SplitSeq(domains, ";") {
		domain, value, _ := strings.Cut(part, "=")
		value = strings.ToLower(strings.TrimSpace(value))
		if short := strings.TrimLeft(value, "0"); short != "" {
			value = short
		} else {
			value = "0"
		}
		each(strings.TrimSpace(name), strings.TrimSpace(domain), value)
	}
}
