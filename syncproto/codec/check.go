package codec

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
)

// MaxDepth is the deepest nesting that any limit admits, and so the deepest that is ever encoded.
const MaxDepth = math.MaxUint8

// Check refuses a value that no codec encodes: nested more than depth lists and maps deep, with two fields of the same name in one map, or with a name that is
// not UTF-8 or starts with "$". A sender calls it with the limit in force; codecs call it with MaxDepth from Append. The error is a *syncproto.ProtocolError.
func Check(v syncproto.Value, depth int) error {
	switch v.Kind() {
	case syncproto.List:
		if depth == 0 {
			return tooDeep("value")
		}
		for _, e := range v.List() {
			if err := Check(e, depth-1); err != nil {
				return err
			}
		}
	case syncproto.Map:
		if depth == 0 {
			return tooDeep("value")
		}
		fields := v.Fields()
		for i := range fields {
			if why := badName(fields[i].Name); why != "" {
				return refuse("value", why)
			}
			if err := Check(fields[i].Value, depth-1); err != nil {
				return err
			}
		}
		if name, twice := duplicate(fields); twice {
			return refuse("value", duplicateName(name))
		}
	}
	return nil
}

// badName says what is wrong with the name of a field; empty for nothing.
func badName(name string) string {
	switch {
	case strings.HasPrefix(name, "$"):
		return "name " + quote(name) + ` starts with "$", which is reserved`
	case !utf8.ValidString(name):
		return "name " + quote(name) + " is not valid UTF-8"
	}
	return ""
}

// duplicate finds a name that stands twice in a map. A few fields are compared in place; for more of them a set keeps a hostile map from costing the square of its size.
func duplicate(fields []syncproto.Field) (name string, twice bool) {
	const few = 16
	if len(fields) <= few {
		for i := range fields {
			for j := range fields[:i] {
				if fields[i].Name == fields[j].Name {
					return fields[i].Name, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]struct{}, min(len(fields), 1024))
	for i := range fields {
		seen[fields[i].Name] = struct{}{}
		if len(seen) == i {
			return fields[i].Name, true
		}
	}
	return "", false
}

func duplicateName(name string) string { return "name " + quote(name) + " stands twice in a map" }

// quote is s for an error: ASCII, and cut where it is long.
func quote(s string) string {
	if len(s) > 40 {
		return strconv.QuoteToASCII(s[:40]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

func refuse(where, why string) error {
	return &syncproto.ProtocolError{Code: syncproto.CodeDecode, Text: where + ": " + why}
}

func tooDeep(where string) error {
	return &syncproto.ProtocolError{Code: syncproto.CodeLimit, Text: where + ": lists and maps are nested over the limit"}
}

// place names a byte of an encoding for an error.
func place(codec string, offset int) string { return codec + " at byte " + strconv.Itoa(offset) }

func depthOf(l syncproto.Limits) int { return int(l.WithDefaults().Depth) }
