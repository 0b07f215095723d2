// Command check runs every check that needs no container: formatting, width of lines, built files, vet, staticcheck,
// the allowed imports, module tidiness, generated files, the form of commit messages, and known vulnerabilities. It
// always runs all of them, prints one line for each, and exits with status 1 if one of them failed. Run it from the
// module's root.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// tools selects a file that pins the versions of the tools apart from go.mod, so that modules that import the
// product do not inherit them.
const tools = "-modfile=internal/tools/tools.mod"

// A check produces one line of the output.
type check struct {
	name string
	run  func() (verdict, string)
}

type verdict string

const (
	passed  verdict = "ok"
	failed  verdict = "FAIL"
	skipped verdict = "skipped"
)

func checks() []check {
	return []check{
		{"gofmt", silent("gofmt", "-l", ".")},
		{"lines", lines},
		{"built files", built},
		{"go vet", command("go", "vet", "./...")},
		{"go vet, 386", vetFor("386")}, // 32 bits
		{"go vet, arm64", vetFor("arm64")},
		{"staticcheck", command("go", "tool", tools, "staticcheck", "./...")},
		{"import arrows", command("go", "test", "./internal/arrows")},
		{"go.mod tidy", command("go", "mod", "tidy", "-diff")},
		{"generated files", generated},
		{"commit messages", commits},
		{"govulncheck", vulnerabilities},
	}
}

func main() {
	code := 0
	for _, c := range checks() {
		begin := time.Now()
		v, text := c.run()
		fmt.Printf("%-8s %-16s %5.1fs", v, c.name, time.Since(begin).Seconds())
		switch text = strings.TrimSpace(text); {
		case v == failed:
			code = 1
			fmt.Printf("\n\t%s", strings.ReplaceAll(text, "\n", "\n\t"))
		case v == skipped:
			fmt.Printf("  %s", text)
		}
		fmt.Println()
	}
	os.Exit(code)
}

// command passes when the program exits with status 0.
func command(name string, args ...string) func() (verdict, string) {
	return func() (verdict, string) {
		out, err := run(name, args...)
		if err != nil {
			return failed, fmt.Sprintf("%s: %v\n%s", strings.Join(append([]string{name}, args...), " "), err, out)
		}
		return passed, ""
	}
}

// silent passes when the program also prints nothing.
func silent(name string, args ...string) func() (verdict, string) {
	return func() (verdict, string) {
		out, err := run(name, args...)
		if err != nil || len(out) > 0 {
			return failed, fmt.Sprintf("%s:\n%s", strings.Join(append([]string{name}, args...), " "), out)
		}
		return passed, ""
	}
}

// vetFor builds and vets everything, tests included, for another architecture.
func vetFor(arch string) func() (verdict, string) {
	return command("env", "GOARCH="+arch, "CGO_ENABLED=0", "go", "vet", "./...")
}

func run(name string, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}
