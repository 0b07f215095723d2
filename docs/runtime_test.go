package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/handfast/handfast/internal/oci"
)

// TestNamedTestsExist checks that tests which a document names as a proof exist.
func TestNamedTestsExist(t *testing.T) {
	exist := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(data), -1) {
			exist[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	for file, least := range map[string]int{"runtime.md": 10, "security.md": 10, "integrations.md": 1} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := named.FindAllString(string(data), -1)
		if len(all) < least {
			t.Errorf("%s names %d tests", file, len(all))
		}
		for _, name := range all {
			if !exist[name] {
				t.Errorf("%s names %s, and there is no such test", file, name)
			}
		}
	}
}

// TestPropertiesAreDocumented checks that runtime.md names every property of the configuration that the conversion
// reads, down to the members of process and linux.
func TestPropertiesAreDocumented(t *testing.T) {
	data, err := os.ReadFile("runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, word := range regexp.MustCompile("`[\\w.]+`").FindAllString(string(data), -1) {
		word = strings.Trim(word, "`")
		named[word] = true
		named[word[strings.LastIndexByte(word, '.')+1:]] = true
		first, _, _ := strings.Cut(word, ".")
		named[first] = true
	}
	count := 0
	for _, s := range []reflect.Type{reflect.TypeFor[oci.Spec](), reflect.TypeFor[oci.Process](),
		reflect.TypeFor[oci.Linux]()} {
		for i := range s.NumField() {
			name, _, _ := strings.Cut(s.Field(i).Tag.Get("json"), ",")
			if name == "-" { // not of the document
				continue
			}
			if count++; !named[name] {
				t.Errorf("runtime.md does not name the property %s of %s", name, s.Name())
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d properties", count)
	}
}

// TestCommandsAreDocumented: runtime.md has a row for every command that the help lists.
func TestCommandsAreDocumented(t *testing.T) {
	help, err := os.ReadFile("../cmd/handfast/testdata/help.txt")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(help), "\nCommands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	commands := strings.Split(list, "\n")
	if len(commands) < 20 {
		t.Fatalf("the help lists %d commands: %q", len(commands), list)
	}
	for _, line := range commands {
		name := strings.Fields(line)[0]
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + regexp.QuoteMeta(name) + "[ `]")
		if name != "help" && !row.Match(document) {
			t.Errorf("runtime.md has no row for the command %s", name)
		}
	}
}

// TestEveryRequestIsCarriedOut: each request that package container declares has a reply in spawn and a call in nsinit.
func TestEveryRequestIsCarriedOut(t *testing.T) {
	source := func(dir string) string {
		files, err := filepath.Glob("../" + dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
	declared := regexp.MustCompile(`(?m)^var (\w+) = syncproto\.Exchange\[`)
	names := declared.FindAllStringSubmatch(source("syncproto/container"), -1)
	if len(names) < 5 {
		t.Errorf("%d requests are declared", len(names))
	}
	for _, side := range []string{"spawn", "nsinit"} {
		text := source(side)
		for _, m := range names {
			if !regexp.MustCompile(`\bcontainer\.` + m[1] + `\b`).MatchString(text) {
				t.Errorf("%s does nothing about container.%s", side, m[1])
			}
		}
	}
}
