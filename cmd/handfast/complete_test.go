package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/testenv"
)

// TestBashCompletes asks bash itself what it would offer.
func TestBashCompletes(t *testing.T) {
	bash := testenv.Tool(t, "bash", "bash")
	dir := t.TempDir()
	// In place of the program: it only lists containers, and says of which root.
	stub := "#!/bin/sh\n[ \"$*\" = 'list --quiet' ] && echo web\n[ \"$*\" = '--root /r list --quiet' ] && echo other\n"
	if err := os.WriteFile(filepath.Join(dir, "handfast"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "completion")
	if err := os.WriteFile(script, []byte(bashCompletion()), 0o644); err != nil {
		t.Fatal(err)
	}
	const ask = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _handfast; printf '%s\n' "${COMPREPLY[@]}"`
	for line, want := range map[string][]string{
		"handfast st":                      {"start", "state"},
		"handfast --debug --log /x resu":   {"resume"},
		"handfast --sy":                    {"--systemd-cgroup"},
		"handfast run --no-":               {"--no-pivot", "--no-new-keyring", "--no-subreaper"},
		"handfast kill w":                  {"web"},
		"handfast --root /r kill o":        {"other"},
		"handfast delete --force w":        {"web"},
		"handfast help upd":                {"update"},
		"handfast completion z":            {"zsh"},
		"handfast run --bundle " + dir:     {dir},
		"handfast --root " + dir + "/comp": {dir + "/completion"},
	} {
		cmd := exec.Command(bash, append([]string{"-c", ask, "bash", script}, strings.Fields(line)...)...)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.Output()
		if got := strings.Fields(string(out)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
}

// TestCompletionsNameEverything: no shell is without a command or an option.
func TestCompletionsNameEverything(t *testing.T) {
	for shell, script := range map[string]string{"bash": bashCompletion(), "zsh": zshCompletion(),
		"fish": fishCompletion()} {
		for _, c := range commands() {
			if !strings.Contains(script, c.name) {
				t.Errorf("%s lacks %s", shell, c.name)
			}
			for _, o := range c.options {
				if o.help != "" && !strings.Contains(script, o.name) {
					t.Errorf("%s lacks %s --%s", shell, c.name, o.name)
				}
			}
		}
	}
}

// TestManual: every page is man(7) that groff has nothing to say against, and shows what the help does.
func TestManual(t *testing.T) {
	groff := testenv.Tool(t, "groff", "groff-base")
	for name, page := range manualPages() {
		cmd := exec.Command(groff, "-man", "-Tascii", "-ww", "-P-c", "-rLL=200n")
		cmd.Stdin = strings.NewReader(page)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s", name, err, complaints.String())
		}
		c, _ := commandByName(strings.TrimSuffix(strings.TrimPrefix(name, "handfast-"), ".8"))
		for _, o := range c.options {
			if o.help != "" && !strings.Contains(plain(string(out)), "--"+o.name) {
				t.Errorf("%s: the page lacks --%s", name, o.name)
			}
		}
	}
}

// TestManualIsWritten: --output writes each page to a file of its own, and only all of them.
func TestManualIsWritten(t *testing.T) {
	dir := t.TempDir()
	in := &invocation{settings: settings{output: dir}}
	if code, err := in.man(); code != 0 || err != nil {
		t.Fatalf("%d, %v", code, err)
	}
	for name, page := range manualPages() {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != page {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(page))
		}
	}
	in.args = []string{"run"}
	if code, err := in.man(); code != failed || err == nil || !strings.Contains(err.Error(), "without run") {
		t.Errorf("one page: %d, %v", code, err)
	}
	in = &invocation{settings: settings{output: filepath.Join(dir, "missing")}}
	if code, err := in.man(); code != failed || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %d, %v", code, err)
	}
}

// plain is what grotty prints without its overstriking.
func plain(s string) string {
	var b []rune
	for _, r := range s {
		if r == '\b' && len(b) > 0 {
			b = b[:len(b)-1]
			continue
		}
		b = append(b, r)
	}
	return string(b)
}
