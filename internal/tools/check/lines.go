package main

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"
)

// columns is the greatest width of a line of Go, where a tab counts as one column.
const columns = 120

// lines finds lines that are too wide. It excepts lines that hold a part of a raw string, because they cannot be
// wrapped, generated files, and files below a testdata directory.
func lines() (verdict, string) {
	out, err := exec.Command("git", "ls-files", "-z", "--", "*.go").Output()
	if err != nil {
		return failed, "git ls-files: " + err.Error()
	}
	var wide []string
	for path := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if strings.Contains(path, "testdata/") {
			continue
		}
		source, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue // removed, but the removal is not committed
		}
		if err != nil {
			return failed, err.Error()
		}
		for _, n := range tooWide(source) {
			wide = append(wide, fmt.Sprintf("%s:%d: wider than %d columns", path, n, columns))
		}
	}
	if len(wide) > 0 {
		return failed, strings.Join(wide, "\n")
	}
	return passed, ""
}

// tooWide returns the numbers of the lines of a file that are too wide.
func tooWide(source []byte) (numbers []int) {
	if bytes.HasPrefix(source, []byte("// Code generated ")) {
		return nil
	}
	raw := rawLines(source)
	for i, line := range strings.Split(string(source), "\n") {
		if utf8.RuneCountInString(line) > columns && !raw[i+1] {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// rawLines returns the numbers of the lines that hold a part of a raw string.
func rawLines(source []byte) map[int]bool {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	raw := map[int]bool{}
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return raw
		}
		if tok == token.STRING && text[0] == '`' {
			first := file.Line(pos)
			for n := range strings.Count(text, "\n") + 1 {
				raw[first+n] = true
			}
		}
	}
}
