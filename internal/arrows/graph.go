package arrows

import (
	"fmt"
	"slices"
	"strings"
)

// Graph maps an import path to the paths it imports directly.
type Graph map[string][]string

// ParseGraph reads lines of the form "path import import ...".
func ParseGraph(text string) Graph {
	g := Graph{}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 {
			g[fields[0]] = fields[1:]
		}
	}
	return g
}

// Match returns the packages of the graph that match the pattern. A pattern is a path; "/..." at its end adds all
// packages below. A pattern that begins with "./" is relative to Module. Packages of this module that are made for
// tests (their names end in "test") are left out: they are next to what they test, but not part of the product.
func (g Graph) Match(pattern string) []string {
	if rest, local := strings.CutPrefix(pattern, "./"); local {
		pattern = Module + "/" + rest
	}
	base, below := strings.CutSuffix(pattern, "/...")
	var found []string
	for path := range g {
		if forTests := strings.HasPrefix(path, Module+"/") && strings.HasSuffix(path, "test"); forTests && path != base {
			continue
		}
		if path == base || below && strings.HasPrefix(path, base+"/") {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// Path returns a shortest chain of imports from one package to another, both included, or nil if there is none.
func (g Graph) Path(from, to string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to && to != from {
			var chain []string
			for p := to; p != ""; p = came[p] {
				chain = append([]string{p}, chain...)
			}
			return chain
		}
		for _, next := range g[queue[0]] {
			if _, seen := came[next]; !seen {
				came[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// Violations returns a line with the chain of imports for each pair of packages that breaks the rule. It also
// returns a line for each From that matches no package, because such a rule could never fail.
func (g Graph) Violations(r Rule) []string {
	var bad []string
	for _, pattern := range r.From {
		from := g.Match(pattern)
		if len(from) == 0 {
			bad = append(bad, fmt.Sprintf("the rule about %s matches no package: correct the rule", pattern))
		}
		for _, f := range from {
			for _, not := range r.Not {
				for _, to := range g.Match(not) {
					if chain := g.Path(f, to); chain != nil {
						bad = append(bad, fmt.Sprintf("%s must not depend on %s, because %s.\n\tThe chain: %s",
							f, to, r.Reason, strings.Join(chain, " -> ")))
					}
				}
			}
		}
	}
	return bad
}
