package main

import (
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/internal/golden"
	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// words splits a command line at spaces.
func words(line string) []string { return strings.Fields(line) }

// TestCommandLinesOfClients parses what container managers were seen to send, each in their own way of writing options.
func TestCommandLinesOfClients(t *testing.T) {
	for _, c := range []struct {
		line    string
		command string
		args    []string
		want    settings
	}{
		{"--root /r --log /l --log-format json create --bundle /b --pid-file /p C", "create", []string{"C"},
			settings{root: "/r", log: "/l", logFormat: "json", bundle: "/b", pidFile: "/p"}},
		{"--log-format=json --log /l create --bundle /b --pid-file /p --console-socket /s C", "create", []string{"C"},
			settings{log: "/l", logFormat: "json", bundle: "/b", pidFile: "/p", consoleSocket: "/s"}},
		{"create --no-pivot --no-new-keyring -b /b C", "create", []string{"C"},
			settings{noPivot: true, noNewKeyring: true, bundle: "/b"}},
		{"--log /l --log-format json run --bundle /b --keep C", "run", []string{"C"},
			settings{log: "/l", logFormat: "json", bundle: "/b", keep: true}},
		{"start C", "start", []string{"C"}, settings{}},
		{"kill C 9", "kill", []string{"C", "9"}, settings{}},
		{"kill --all C 9", "kill", []string{"C", "9"}, settings{all: true}},
		{"delete C", "delete", []string{"C"}, settings{}},
		{"delete --force C", "delete", []string{"C"}, settings{force: true}},
		{"delete C -f", "delete", []string{"C"}, settings{force: true}},
		{"delete -f -- -odd", "delete", []string{"-odd"}, settings{force: true}},
		{"state C", "state", []string{"C"}, settings{}},
		{"pause C", "pause", []string{"C"}, settings{}},
		{"ps --format json C", "ps", []string{"C"}, settings{format: "json"}},
		{"ps -f table C -o pid,comm -f", "ps", []string{"C", "-o", "pid,comm", "-f"}, settings{format: "table"}},
		{"list --format=json", "list", nil, settings{format: "json"}},
		{"list -f json -q", "list", nil, settings{format: "json", quiet: true}},
		{"-root=/r -debug=false run -preserve-fds 3 -d C", "run", []string{"C"},
			settings{root: "/r", preserveFDs: 3, detach: true}},
		{"create --no-subreaper -f x C", "create", []string{"C"}, settings{noSubreaper: true, config: "x"}},
		{"--rootless=true spec --rootless", "spec", nil, settings{rootless: "true", rootlessSpec: true}},
		{"--version", "", nil, settings{version: true}},
		{"-v", "", nil, settings{version: true}},
		{"exec --process /p --detach --pid-file /f C", "exec", []string{"C"},
			settings{processFile: "/p", detach: true, pidFile: "/f"}},
		{"exec -t -e A=b -e C=d -u 1:2 -g 3 -g 4 -c CAP_KILL C ls -l --cwd", "exec", []string{"C", "ls", "-l", "--cwd"},
			settings{tty: true, env: []string{"A=b", "C=d"}, user: "1:2", additionalGIDs: []string{"3", "4"},
				caps: []string{"CAP_KILL"}}},
		{"run --help", "run", nil, settings{help: true}},
		{"", "", nil, settings{help: true}},
	} {
		t.Run(c.line, func(t *testing.T) {
			in, err := parse(words(c.line))
			if err != nil {
				t.Fatal(err)
			}
			if in.command.name != c.command || !reflect.DeepEqual(in.settings, c.want) {
				t.Errorf("command %q, settings %+v\nwant %q, %+v", in.command.name, in.settings, c.command, c.want)
			}
			if diff := cmp.Diff(c.args, in.args); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"bogus":                  `unknown command "bogus" (see --help): No help topic for 'bogus'`,
		"--bogus list":           "unknown option --bogus (see --help)",
		"run --bogus C":          "run: unknown option --bogus (see --help)",
		"run":                    "run: too few arguments: want handfast run ID",
		"state A B":              "state: too many arguments: want handfast state ID",
		"list A":                 "list: too many arguments: want handfast list",
		"top":                    `unknown command "top" (did you mean events --format table?): No help topic for 'top'`,
		"strat C":                `unknown command "strat" (did you mean start?): No help topic for 'strat'`,
		"run --detatch C":        "run: unknown option --detatch (did you mean --detach?)",
		"run -x C":               "run: unknown option -x (see --help)",
		"create --bundle":        "create: option --bundle needs a value, DIR (see --help)",
		"create -b":              "create: option -b needs a value, DIR (see --help)",
		"run --preserve-fds x C": `run: option --preserve-fds: "x" is not a number, or out of range (see --help)`,
		"run --detach=perhaps C": `run: option --detach: "perhaps" is neither true nor false (see --help)`,
	} {
		t.Run(line, func(t *testing.T) {
			if _, err := parse(words(line)); err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestTheTableIsWhole: every option goes somewhere, names are not used twice, and what is shown is explained.
func TestTheTableIsWhole(t *testing.T) {
	check := func(name string, options []option) {
		var s settings
		seen := map[string]bool{}
		for _, o := range options {
			for _, n := range []string{o.name, o.short} {
				if n != "" && seen[n] {
					t.Errorf("%s: --%s stands twice", name, n)
				}
				seen[n] = true
			}
			switch o.into(&s).(type) {
			case *bool:
				if o.value != "" {
					t.Errorf("%s: --%s is a switch and has a value's name", name, o.name)
				}
			case *string, *int, *[]string:
				if o.value == "" {
					t.Errorf("%s: --%s takes a value without a name", name, o.name)
				}
			default:
				t.Errorf("%s: --%s goes to a %T", name, o.name, o.into(&s))
			}
		}
	}
	check("global", globalOptions())
	for _, c := range commands() {
		check(c.name, append(c.options, helpOption()))
		if c.summary == "" || c.run == nil || (c.max >= 0 && c.min > c.max) {
			t.Errorf("%s: not whole: %+v", c.name, c)
		}
	}
}

// TestHelp compares all help texts with the golden file, and every line with a terminal's width.
func TestHelp(t *testing.T) {
	text := helpText()
	for _, c := range commands() {
		text += strings.Repeat("=", 20) + "\n" + commandHelp(c)
	}
	for line := range strings.Lines(text) {
		if len(line) > width+1 {
			t.Errorf("longer than %d: %s", width, line)
		}
	}
	golden.Compare(t, filepath.Join("testdata", "help.txt"), text)
}

// TestVersion: Docker reads the version from the first line, and the lines "commit: " and "spec: ".
func TestVersion(t *testing.T) {
	version, commit = "1.2.3", "abc"
	defer func() { version, commit = "", "" }()
	if got := versionText(); !strings.HasPrefix(got, "handfast version 1.2.3\ncommit: abc\nspec: 1.3.0\ngo: go") {
		t.Errorf("%q", got)
	}
}

// TestStamps: what the build says counts, then what the go command recorded, then the source.
func TestStamps(t *testing.T) {
	info := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "c1"}}}
	}
	for _, c := range []struct {
		version, commit string
		info            *debug.BuildInfo
		v, c            string
	}{
		{"v1.2.3-4-gabc", "c0", info("v9.9.9"), "1.2.3-4-gabc", "c0"},
		{"", "", info("v0.1.0"), "0.1.0", "c1"},
		{"", "", info("(devel)"), release, "c1"},
		{"", "", info("v0.0.0-20260101000000-abcdef012345+dirty"), release, "c1"},
		{"", "", nil, release, "unknown"},
	} {
		if v, commit := stampsOf(c.version, c.commit, c.info); v != c.v || commit != c.c {
			t.Errorf("%+v: %s, %s", c, v, commit)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"run -b x C", "--log-format=json kill --all C 9", "delete -- -x", "list\x00-q", "--"} {
		f.Add(strings.ReplaceAll(seed, " ", "\x00"))
	}
	f.Fuzz(func(t *testing.T, line string) {
		in, err := parse(strings.Split(line, "\x00"))
		if in == nil {
			t.Fatal("no invocation")
		}
		if err == nil && in.command.name != "" && !in.help && checkArgs(in.command, in.args) != nil {
			t.Errorf("%q: %s got %d arguments", line, in.command.name, len(in.args))
		}
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
