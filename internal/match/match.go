// Package match matches names against regular expressions.
//
// Package regexp costs start-up time and size in a program that starts twice for every container, and container names
// need little: the extended regular expressions of regex(7) without repetition counts and classes such as [[:alpha:]],
// but with \d, \w and \s. Matching takes time proportional to the length of the expression times that of the name.
package match

import (
	"fmt"
	"unicode/utf8"
)

// Expression is a compiled regular expression.
type Expression struct {
	program []instruction
}

// op is what an instruction does.
type op uint8

const (
	one   op = iota // reads a character of set
	split           // continues at x and at y
	jump            // continues at x
	begin           // holds at the beginning of the name
	end             // holds at its end
	found           // the name matches
)

type instruction struct {
	op   op
	x, y int
	set  *set
}

// set is a set of characters: ranges, or everything outside of them.
type set struct {
	ranges  [][2]rune
	negated bool
}

func (s *set) holds(r rune) bool {
	for _, in := range s.ranges {
		if in[0] <= r && r <= in[1] {
			return !s.negated
		}
	}
	return s.negated
}

// limit is the longest expression, in bytes: names have up to 1024 characters, and no expression needs more.
const limit = 4096

// Compile parses an expression. Errors say what is wrong and at which byte, counted from one.
func Compile(text string) (*Expression, error) {
	if len(text) > limit {
		return nil, fmt.Errorf("%d bytes; want at most %d", len(text), limit)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the text is not UTF-8")
	}
	p := &parser{text: text}
	program, err := p.alternatives(0)
	if err == nil && p.at < len(text) {
		err = p.wrong("unexpected )")
	}
	if err != nil {
		return nil, err
	}
	return &Expression{append(program, instruction{op: found})}, nil
}

// Matches reports whether the expression matches the name or a part of it.
func (e *Expression) Matches(name string) bool {
	now, next := newThreads(len(e.program)), newThreads(len(e.program))
	at := 0
	for {
		e.add(now, 0, at, len(name)) // a match may begin anywhere
		if now.found {
			return true
		}
		if at == len(name) {
			return false
		}
		r, size := utf8.DecodeRuneInString(name[at:])
		at += size
		next.clear()
		for _, pc := range now.list {
			if e.program[pc].set.holds(r) {
				e.add(next, pc+1, at, len(name))
			}
		}
		if next.found {
			return true
		}
		now, next = next, now
	}
}

// threads are the positions that a match may have reached in the program: those of instructions that read a character.
type threads struct {
	list  []int
	seen  []bool
	found bool
}

func newThreads(n int) *threads { return &threads{seen: make([]bool, n)} }

func (t *threads) clear() {
	t.list, t.found = t.list[:0], false
	clear(t.seen)
}

// add follows all instructions that read no character. It uses a list instead of recursion, because an expression can
// be nested as deeply as it is long.
func (e *Expression) add(t *threads, pc, at, length int) {
	todo := []int{pc}
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t.seen[pc] {
			continue
		}
		t.seen[pc] = true
		switch in := e.program[pc]; in.op {
		case one:
			t.list = append(t.list, pc)
		case split:
			todo = append(todo, in.x, in.y)
		case jump:
			todo = append(todo, in.x)
		case begin:
			if at == 0 {
				todo = append(todo, pc+1)
			}
		case end:
			if at == length {
				todo = append(todo, pc+1)
			}
		case found:
			t.found = true
		}
	}
}
