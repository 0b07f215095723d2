// Package vectors holds the conformance vectors of the protocol: small files with one verdict each, for authors of a
// parent, a child or a codec in any language. README.md describes them. The tests of this package generate them ("go
// test ./syncproto/vectors -update") and run the Go implementation against them; "handfast conformance" runs any child
// program against those of the kind child.
package vectors

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

//go:embed data
var data embed.FS

// FS is the directory of the vectors: kind/group/name.vec.
func FS() fs.FS {
	sub, err := fs.Sub(data, "data")
	if err != nil {
		return data // the name is a constant that fs.Sub takes
	}
	return sub
}

// Kind is what a vector is about.
type Kind string

// The kinds.
const (
	KindFrame  Kind = "frame"  // a frame, judged by its header and the default limits
	KindValue  Kind = "value"  // an encoded value, judged by a codec
	KindChild  Kind = "child"  // what a parent sends, and how a correct child replies
	KindParent Kind = "parent" // what a child sends, and the outcome for a correct parent
	KindReport Kind = "report" // the body of an ERROR, and the text that a reader shows for it
)

// Vector is one file.
type Vector struct {
	Name    string // its path without the ending
	Kind    Kind
	Codec   string // of a value, or of the conversation's CONFIG and what follows it
	Socket  string // "stream", "seqpacket" or "both"; empty where there is none
	Profile string
	NoFile  int    // the RLIMIT_NOFILE of the side under test; zero: as it is
	About   string // one sentence
	Section string // of docs/protocol.md
	Value   string // of an accepted value: the same in the codec json
	Words   string // of a report: what a reader shows; a star stands for any words
	Steps   []Step // of a conversation
	Verdict string // "accept"; "refuse CODE"; of a parent its outcome, see README.md
	Data    []byte // all that is sent, in order
}

// Step is one line of a conversation.
type Step struct {
	Do   string            // "send", "expect", "shutdown" or "end"
	Data []byte            // send: the bytes, one frame or what is meant to be taken for one; none: an empty packet
	FDs  int               // send: descriptors sent with it
	Want map[string]string // expect: "kind" and, where they matter, "re", "code", "name", "fds"
}

const (
	magic   = "handfast vector 1"
	endHead = "--\n"
	maxSize = 1 << 20

	maxNoFile = 1024
)

var errFormat = errors.New("not a vector")

// Parse reads a file.
func Parse(text []byte) (Vector, error) {
	if len(text) > maxSize {
		return Vector{}, fmt.Errorf("%w: %d bytes, at most %d", errFormat, len(text), maxSize)
	}
	head, rest, ok := strings.Cut(string(text), "\n"+endHead)
	if !ok {
		return Vector{}, fmt.Errorf("%w: no line %q ends the header", errFormat, "--")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != magic {
		return Vector{}, fmt.Errorf("%w: it begins with %.40q, want %q", errFormat, lines[0], magic)
	}
	v := Vector{Data: []byte(rest)}
	left := v.Data
	for i, line := range lines[1:] {
		key, arg, _ := strings.Cut(line, ":")
		if err := v.line(key, strings.TrimPrefix(arg, " "), &left); err != nil {
			return Vector{}, fmt.Errorf("%w: line %d: %w", errFormat, i+2, err)
		}
	}
	if v.Kind == KindChild || v.Kind == KindParent {
		if len(left) > 0 {
			return Vector{}, fmt.Errorf("%w: %d bytes are in no step", errFormat, len(left))
		}
	}
	return v, nil
}

func (v *Vector) line(key, arg string, left *[]byte) error {
	switch key {
	case "name":
		v.Name = arg
	case "kind":
		v.Kind = Kind(arg)
	case "codec":
		v.Codec = arg
	case "socket":
		v.Socket = arg
	case "profile":
		v.Profile = arg
	case "nofile":
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 || n > maxNoFile {
			return fmt.Errorf("nofile %.40q: want a number from 1 to %d", arg, maxNoFile)
		}
		v.NoFile = n
	case "about":
		v.About = arg
	case "section":
		v.Section = arg
	case "value":
		v.Value = arg
	case "words":
		v.Words = arg
	case "verdict":
		v.Verdict = arg
	case "send", "expect", "shutdown", "end":
		s, err := parseStep(key, arg, left)
		if err != nil {
			return err
		}
		v.Steps = append(v.Steps, s)
	default:
		return fmt.Errorf("unknown key %.40q", key)
	}
	return nil
}

func parseStep(do, arg string, left *[]byte) (Step, error) {
	s := Step{Do: do}
	words := strings.Fields(arg)
	switch do {
	case "send":
		n, fds := -1, 0
		if len(words) == 2 {
			n, _ = strconv.Atoi(words[0])
			f, ok := strings.CutPrefix(words[1], "fds=")
			fds, _ = strconv.Atoi(f)
			if !ok {
				n = -1
			}
		}
		if n < 0 || n > len(*left) || fds < 0 || fds > 253 {
			return s, fmt.Errorf("send %.40q: want a number of bytes, of %d that are left, and fds=N", arg, len(*left))
		}
		s.Data, s.FDs = (*left)[:n:n], fds
		*left = (*left)[n:]
	case "expect":
		if len(words) == 0 {
			return s, errors.New("expect what?")
		}
		s.Want = map[string]string{"kind": words[0]}
		for _, w := range words[1:] {
			k, val, ok := strings.Cut(w, "=")
			if !ok {
				return s, fmt.Errorf("expect: %.40q is no name=value", w)
			}
			s.Want[k] = val
		}
	}
	return s, nil
}

// Format returns the file for v; it is the reverse of Parse.
func (v *Vector) Format() []byte {
	var b strings.Builder
	b.WriteString(magic + "\n")
	noFile := ""
	if v.NoFile > 0 {
		noFile = strconv.Itoa(v.NoFile)
	}
	for _, f := range [...][2]string{{"name", v.Name}, {"kind", string(v.Kind)}, {"codec", v.Codec}, {"socket", v.Socket},
		{"profile", v.Profile}, {"nofile", noFile},
		{"about", v.About}, {"section", v.Section}, {"value", v.Value}, {"words", v.Words}} {
		if f[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", f[0], f[1])
		}
	}
	for _, s := range v.Steps {
		b.WriteString(s.format())
	}
	b.WriteString("verdict: " + v.Verdict + "\n" + endHead)
	b.Write(v.Data)
	return []byte(b.String())
}

func (s Step) format() string {
	switch s.Do {
	case "send":
		return fmt.Sprintf("send: %d fds=%d\n", len(s.Data), s.FDs)
	case "expect":
		line := "expect: " + s.Want["kind"]
		for _, k := range [...]string{"re", "code", "name", "fds"} {
			if s.Want[k] != "" {
				line += " " + k + "=" + s.Want[k]
			}
		}
		return line + "\n"
	}
	return s.Do + ":\n"
}

// All returns every vector, in the order of their names.
func All() ([]Vector, error) {
	var all []Vector
	err := fs.WalkDir(FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(FS(), path)
		if err != nil {
			return err
		}
		v, err := Parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, v)
		return nil
	})
	return all, err
}

// Of returns the vectors of one kind.
func Of(kind Kind) ([]Vector, error) {
	all, err := All()
	var some []Vector
	for _, v := range all {
		if v.Kind == kind {
			some = append(some, v)
		}
	}
	return some, err
}
