package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/handfast/handfast/internal/seccomp"
)

// profileLimit is the most bytes that are read as a profile or as the configuration that holds one.
const profileLimit = 16 << 20

// seccomp shows a profile, or with --call what happens to one system call.
func (in *invocation) seccomp() (int, error) {
	args := in.args
	source := ""
	if in.profileOf == "" {
		if len(args) == 0 {
			return failed, fmt.Errorf("seccomp: want a FILE with a profile or a configuration, or --profile-of ID")
		}
		source, args = args[0], args[1:]
	}
	if len(args) > 0 && in.call == "" {
		return failed, fmt.Errorf("seccomp: %q: the arguments of a system call need --call NAME", args[0])
	}
	source, raw, err := in.profileText(source)
	if err != nil {
		return failed, fmt.Errorf("seccomp: %w", err)
	}
	profile, err := seccomp.Parse(raw)
	if err != nil {
		return failed, fmt.Errorf("seccomp: %s: %w", source, err)
	}
	host := seccomp.HostArch()
	program, err := seccomp.Compile(profile, host)
	if err != nil {
		return failed, fmt.Errorf("seccomp: %s: %w", source, err)
	}
	if profile == nil {
		return printText("no filter: every call is allowed\n")
	}
	if in.call != "" {
		text, err := in.explainCall(profile, program, args)
		if err != nil {
			return failed, fmt.Errorf("seccomp: %w", err)
		}
		return printText(text)
	}
	return in.showProfile(profile, program)
}

// profileText reads the profile from a file, from standard input, or from the configuration of a container.
func (in *invocation) profileText(name string) (source string, raw []byte, err error) {
	if in.profileOf != "" {
		r, err := in.runtime()
		if err != nil {
			return "", nil, err
		}
		raw, err := r.Profile(in.profileOf)
		return "container " + in.profileOf, raw, err
	}
	var data []byte
	if name == "-" {
		name = "standard input"
		data, err = io.ReadAll(io.LimitReader(os.Stdin, profileLimit+1))
	} else {
		var f *os.File
		if f, err = os.Open(name); err != nil {
			return "", nil, err
		}
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, profileLimit+1))
	}
	if err != nil {
		return "", nil, err
	}
	if len(data) > profileLimit {
		return "", nil, fmt.Errorf("%s: longer than %d bytes", name, profileLimit)
	}
	raw, err = profileIn(data)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	return name, raw, nil
}

// profileIn returns linux.seccomp of a configuration. Data that does not look like a configuration is taken for the
// profile itself.
func profileIn(data []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, fmt.Errorf("broken JSON: %w", err)
	}
	if _, ok := members["archMap"]; ok {
		return nil, fmt.Errorf("a profile in Docker's own form, with archMap: want one in the form of config.json's " +
			"linux.seccomp, which Docker makes of it for each container")
	}
	_, versioned := members["ociVersion"]
	linux, ok := members["linux"]
	if !ok && !versioned {
		return data, nil
	}
	var platform struct {
		Seccomp json.RawMessage `json:"seccomp"`
	}
	if ok {
		if err := json.Unmarshal(linux, &platform); err != nil {
			return nil, fmt.Errorf("linux: %w", err)
		}
	}
	return platform.Seccomp, nil
}

// showProfile prints the forms of the profile that --format selects.
func (in *invocation) showProfile(profile *seccomp.Profile, program *seccomp.Program) (int, error) {
	tree, err := profile.Tree(program.Host)
	if err != nil {
		return failed, err
	}
	switch in.format {
	case "rules":
		return printText(profile.String())
	case "tree":
		return printText(tree)
	case "program":
		return printText(program.String())
	case "", "all":
		return printText(fmt.Sprintf("Rules\n\n%s\nDecision tree on %s\n\n%s\nProgram, %d instructions\n\n%s",
			profile, program.Host, tree, len(program.Filter), program))
	}
	return failed, fmt.Errorf("seccomp: --format %q: want rules, tree, program or all", in.format)
}

// explainCall says what happens to one system call, and which rule decides.
func (in *invocation) explainCall(profile *seccomp.Profile, program *seccomp.Program, args []string) (string, error) {
	arch := program.Host
	if in.arch != "" {
		name := strings.ToUpper(in.arch)
		if !strings.HasPrefix(name, "SCMP_ARCH_") {
			name = "SCMP_ARCH_" + name
		}
		var ok bool
		if arch, ok = seccomp.ParseArch(name); !ok {
			return "", fmt.Errorf("--arch %q: want one of %s", in.arch, strings.Join(seccomp.ArchNames(), ", "))
		}
	}
	number, ok := arch.Number(in.call)
	name := in.call
	if !ok {
		parsed, err := strconv.ParseUint(in.call, 0, 32)
		if err != nil {
			return "", fmt.Errorf("--call %q: %s has no such system call", in.call, arch)
		}
		number = uint32(parsed)
		if name = arch.Name(number); name == "" {
			name = "unknown"
		}
	}
	d := seccomp.Data{Number: number, AuditArch: arch.AuditArch()}
	if len(args) > len(d.Args) {
		return "", fmt.Errorf("%d arguments: a system call has at most %d", len(args), len(d.Args))
	}
	for i, arg := range args {
		value, err := parseArgument(arg)
		if err != nil {
			return "", err
		}
		d.Args[i] = value
	}
	reason, err := profile.Explain(program.Host, d)
	if err != nil {
		return "", err
	}
	verdict, err := program.Run(d)
	if err != nil {
		return "", err
	}
	if verdict.Action != reason.Action {
		return "", fmt.Errorf("the program says %s and the rules %s: please report this profile", verdict.Action,
			reason.Action)
	}
	text := fmt.Sprintf("%s(%d) on %s, arguments %#x\n%s\n", name, number, arch, d.Args, reason)
	if reason.Cause == seccomp.ByRule {
		text += profile.RuleLine(reason.Rule)
	}
	return text + fmt.Sprintf("%d of %d instructions executed\n", verdict.Steps, len(program.Filter)), nil
}

// parseArgument reads an argument of a system call: a number in any base of Go's literals, which may be negative.
func parseArgument(text string) (uint64, error) {
	if value, err := strconv.ParseUint(text, 0, 64); err == nil {
		return value, nil
	}
	value, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("argument %q: want a number, such as 17, -1 or 0x7e020000", text)
	}
	return uint64(value), nil
}
