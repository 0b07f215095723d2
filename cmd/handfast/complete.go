package main

import (
	"fmt"
	"strings"
)

// completion prints a script that teaches a shell to complete command lines of handfast.
func (in *invocation) completion() (int, error) {
	write, known := map[string]func() string{"bash": bashCompletion, "zsh": zshCompletion,
		"fish": fishCompletion}[in.args[0]]
	if !known {
		return failed, fmt.Errorf("completion: %q: want bash, zsh or fish", in.args[0])
	}
	return printText(write())
}

// takesID reports whether a command's first argument is the id of an existing container.
func takesID(c command) bool {
	return strings.HasPrefix(strings.TrimPrefix(c.args, "["), "ID") && c.name != "create" && c.name != "run"
}

// optionWords returns the options as they are typed, without those that the help does not show.
func optionWords(options []option) (all []string) {
	for _, o := range options {
		if o.help == "" {
			continue
		}
		all = append(all, "--"+o.name)
		if o.short != "" {
			all = append(all, "-"+o.short)
		}
	}
	return all
}

// optionsWithValue returns the words of those options that take a value.
func optionsWithValue(options []option) (all []string) {
	for _, o := range options {
		if o.value != "" {
			all = append(all, optionWords([]option{o})...)
		}
	}
	return all
}

// optionsOf returns all options of a command, --help included.
func optionsOf(c command) []option {
	return append(c.options[:len(c.options):len(c.options)], helpOption())
}

// bashCompletion returns the script for bash. It completes commands, options and container ids, and file names as the
// values of options.
func bashCompletion() string {
	var b strings.Builder
	var names, takeIDs []string
	for _, c := range commands() {
		names = append(names, c.name)
		if takesID(c) {
			takeIDs = append(takeIDs, c.name)
		}
	}
	global := globalOptions()
	fmt.Fprintf(&b, `# bash completion of handfast. Source it, or put it where bash-completion looks:
#     handfast completion bash > /usr/share/bash-completion/completions/handfast
_handfast() {
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= root= i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--root) root=${COMP_WORDS[++i]} ;;
		%s) ((++i)) ;;
		-*) ;;
		*) command=${COMP_WORDS[i]}; break ;;
		esac
	done
	local options values
	case $command in
	'') options='%s' values='%s' ;;
`, strings.Join(optionsWithValue(global[1:]), "|"), strings.Join(optionWords(global), " "), strings.Join(optionsWithValue(global), " "))
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t%s) options='%s' values='%s' ;;\n", c.name, strings.Join(optionWords(optionsOf(c)), " "),
			strings.Join(optionsWithValue(c.options), " "))
	}
	fmt.Fprintf(&b, `	esac
	if [[ " $values " == *" $previous "* ]]; then
		COMPREPLY=($(compgen -f -- "$word"))
	elif [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$options" -- "$word"))
	elif [[ -z $command ]]; then
		COMPREPLY=($(compgen -W '%s' -- "$word"))
	else
		case $command in
		%s) COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" ${root:+--root "$root"} list --quiet 2>/dev/null)" -- "$word")) ;;
		help) COMPREPLY=($(compgen -W '%s' -- "$word")) ;;
		completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- "$word")) ;;
		*) COMPREPLY=($(compgen -f -- "$word")) ;;
		esac
	fi
}
complete -o filenames -F _handfast handfast
`, strings.Join(names, " "), strings.Join(takeIDs, "|"), strings.Join(names, " "))
	return b.String()
}

// zshCompletion returns the script for zsh's compinit. It completes what bashCompletion does, and describes each word.
func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef handfast\n# zsh completion of handfast. Put it as _handfast into a directory of $fpath.\n" +
		"_handfast_containers() {\n\tlocal -a ids\n" +
		"\tids=(${(f)\"$(handfast ${opt_args[--root]:+--root ${opt_args[--root]}} list --quiet 2>/dev/null)\"})\n" +
		"\tcompadd -a ids\n}\n\n_handfast() {\n\tlocal state line context\n\tlocal -A opt_args\n\t_arguments -C \\\n")
	for _, o := range globalOptions() {
		b.WriteString(zshOption(o))
	}
	b.WriteString("\t\t'1:command:->command' \\\n\t\t'*::argument:->arguments'\n\tcase $state in\n\tcommand)\n" +
		"\t\tlocal -a commands=(\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t\t\t'%s:%s'\n", c.name, zshText(c.summary))
	}
	b.WriteString("\t\t)\n\t\t_describe command commands\n\t\t;;\n\targuments)\n\t\tcase $words[1] in\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t\t%s)\n\t\t\t_arguments \\\n", c.name)
		for _, o := range optionsOf(c) {
			b.WriteString("\t" + zshOption(o))
		}
		rest := "_files"
		switch {
		case takesID(c):
			rest = "_handfast_containers"
		case c.name == "completion":
			rest = "(bash zsh fish)"
		}
		fmt.Fprintf(&b, "\t\t\t\t'*:argument:%s'\n\t\t\t;;\n", rest)
	}
	b.WriteString("\t\tesac\n\t\t;;\n\tesac\n}\n\n_handfast \"$@\"\n")
	return b.String()
}

func zshOption(o option) string {
	if o.help == "" {
		return ""
	}
	value := ""
	if o.value != "" {
		value = ":" + zshText(o.value) + ":_files"
	}
	var b strings.Builder
	for _, w := range optionWords([]option{o}) {
		fmt.Fprintf(&b, "\t\t'*%s[%s]%s' \\\n", w, zshText(o.help), value)
	}
	return b.String()
}

// zshText quotes text for use between single quotes and brackets in an argument of _arguments.
func zshText(s string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(s)
}

// fishCompletion returns the script for fish.
func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion of handfast: handfast completion fish > ~/.config/fish/completions/handfast.fish\n")
	for _, o := range globalOptions() {
		b.WriteString(fishOption("__fish_use_subcommand", o))
	}
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c handfast -n __fish_use_subcommand -f -a %s -d '%s'\n", c.name, fishText(c.summary))
		condition := "'__fish_seen_subcommand_from " + c.name + "'"
		for _, o := range optionsOf(c) {
			b.WriteString(fishOption(condition, o))
		}
		if takesID(c) {
			fmt.Fprintf(&b, "complete -c handfast -n %s -f -a '(handfast list --quiet 2>/dev/null)'\n", condition)
		}
		if c.name == "completion" {
			fmt.Fprintf(&b, "complete -c handfast -n %s -f -a 'bash zsh fish'\n", condition)
		}
	}
	return b.String()
}

func fishOption(condition string, o option) string {
	if o.help == "" {
		return ""
	}
	line := "complete -c handfast -n " + condition + " -l " + o.name
	if o.short != "" {
		line += " -s " + o.short
	}
	if o.value != "" {
		line += " -r"
	}
	return line + " -d '" + fishText(o.help) + "'\n"
}

// fishText is text within single quotes of fish.
func fishText(s string) string { return strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) }
