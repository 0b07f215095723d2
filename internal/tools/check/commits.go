package main

import (
	"fmt"
	"os/exec"
	"strings"
	"unicode/utf8"
)

const (
	// subjectColumns is the greatest length of the first line of a commit message.
	subjectColumns = 72
	// recentCommits is the number of commits to check if there is no tag to start from.
	recentCommits = 50
)

// commits checks the messages since the last tag, or the most recent ones. Outside a clone, as in an unpacked
// archive, there is nothing to check, and its line says so.
func commits() (verdict, string) {
	if _, err := exec.Command("git", "rev-parse", "--verify", "-q", "HEAD").Output(); err != nil {
		return skipped, "no git history here, nothing was checked"
	}
	args := []string{"log", "--format=%h%n%B%x00"}
	if tag, err := exec.Command("git", "describe", "--tags", "--abbrev=0", "HEAD").Output(); err == nil {
		args = append(args, strings.TrimSpace(string(tag))+"..HEAD")
	} else {
		args = append(args, fmt.Sprintf("--max-count=%d", recentCommits))
	}
	out, err := exec.Command("git", args...).Output()
	if err != nil {
		return failed, fmt.Sprintf("git %s: %v", strings.Join(args, " "), err)
	}
	var faults []string
	for record := range strings.SplitSeq(string(out), "\x00") {
		hash, message, found := strings.Cut(strings.TrimLeft(record, "\n"), "\n")
		if !found {
			continue // what follows the last message
		}
		for _, fault := range messageFaults(message) {
			faults = append(faults, hash+": "+fault)
		}
	}
	if len(faults) > 0 {
		return failed, strings.Join(faults, "\n")
	}
	return passed, ""
}

// messageFaults returns what is wrong with the form of a commit message.
func messageFaults(message string) (faults []string) {
	subject, rest, _ := strings.Cut(message, "\n")
	if n := utf8.RuneCountInString(subject); n > subjectColumns {
		faults = append(faults, fmt.Sprintf("the subject has %d characters, want at most %d: %s", n, subjectColumns, subject))
	}
	if strings.TrimSpace(subject) == "" {
		faults = append(faults, "the subject is empty")
	}
	if strings.HasSuffix(subject, ".") {
		faults = append(faults, "the subject ends in a period: "+subject)
	}
	if body, _, _ := strings.Cut(rest, "\n"); strings.TrimSpace(body) != "" {
		faults = append(faults, "the second line is not empty: "+body)
	}
	return faults
}
