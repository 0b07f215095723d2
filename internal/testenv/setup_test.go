package testenv

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSetupInstallsWhatTestsNeed: "make test" installs every Debian package that a test passes to Tool.
func TestSetupInstallsWhatTestsNeed(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(root, "test/setup.sh"))
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^test\) +wanted="([^"]*)"`).FindSubmatch(script)
	if list == nil {
		t.Fatal("test/setup.sh lists no packages for the target test")
	}
	installed := strings.Fields(string(list[1]))
	elsewhere := map[string]string{
		"bash":     "is in every Debian",
		"dpkg":     "is in every Debian",
		"apparmor": "is needed only where AppArmor is in force, and the virtual machine's image has it",
	}
	use := regexp.MustCompile(`\bTool\([\w.]+, [^,]+, "([^"]+)"\)`)
	uses := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range use.FindAllStringSubmatch(string(source), -1) {
			uses++
			if !slices.Contains(installed, m[1]) && elsewhere[m[1]] == "" {
				t.Errorf("%s needs the Debian package %s: add it to the target test of test/setup.sh", path, m[1])
			}
		}
		return err
	})
	if err != nil || uses < 10 {
		t.Errorf("%d uses of Tool found, %v", uses, err)
	}
}
