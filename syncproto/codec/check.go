package codec

import (
	"hash/maphash"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/handfast/handfast/syncproto"
)

// MaxDepth is the deepest nesting that any limit permits, and so the deepest that is ever encoded.
const MaxDepth = math.MaxUint8

// Check refuses a value that no codec encodes: lists and maps nested more than depth deep, more than
// syncproto.MaxValues values, a map with two fields of the same name, or a name that is not UTF-8 or starts with "$". A
// sender calls it with the limit in force; codecs call it with MaxDepth from Append. The error is a
// *syncproto.ProtocolError.
func Check(v syncproto.Value, depth int) error {
	left := syncproto.MaxValues - 1
	return check(&v, depth, &left)
}

// check walks a value that is already counted. It counts the elements of a list before it walks them, so that no time
// is spent on a list over the limit. Here and in the encoders a Value is passed by its address, because it does not fit
// the registers for arguments.
func check(v *syncproto.Value, depth int, left *int) error {
	if k := v.Kind(); k != syncproto.List && k != syncproto.Map {
		return nil
	}
	list, fields := v.List(), v.Fields()
	if depth == 0 {
		return tooDeep("value")
	}
	if *left -= len(list) + len(fields); *left < 0 {
		return tooMany("value")
	}
	for i := range list {
		if err := check(&list[i], depth-1, left); err != nil {
			return err
		}
	}
	for i := range fields {
		if why := badName(fields[i].Name); why != "" {
			return refuse("value", why)
		}
		if err := check(&fields[i].Value, depth-1, left); err != nil {
			return err
		}
	}
	if name, twice := duplicate(fields); twice {
		return refuse("value", duplicateName(name))
	}
	return nil
}

// badName says what is wrong with the name of a field, and returns the empty string if it is valid.
func badName(name string) string {
	switch {
	case strings.HasPrefix(name, "$"):
		return "name " + quote(name) + ` starts with "$", which is reserved`
	case !utf8.ValidString(name):
		return "name " + quote(name) + " is not valid UTF-8"
	}
	return ""
}

// duplicate finds a name that occurs twice in a map. A few fields are compared directly; for more of them a hash table
// keeps a hostile map from costing quadratic time. The table holds indices of fields and not their names, because a
// message may consist of nothing but one map, and names would double its cost.
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
	// Open addressing, at most half full, with a random seed that an attacker cannot know. Zero means empty, so indices
	// count from one.
	seed := maphash.MakeSeed()
	mask := uint64(1)<<bits.Len(uint(2*len(fields))) - 1
	table := make([]uint32, mask+1)
	for i := range fields {
		name := fields[i].Name
		at := maphash.String(seed, name) & mask
		for ; table[at] != 0; at = (at + 1) & mask {
			if fields[table[at]-1].Name == name {
				return name, true
			}
		}
		table[at] = uint32(i + 1)
	}
	return "", false
}

func duplicateName(name string) string { return "name " + quote(name) + " stands twice in a map" }

// quote returns s for an error: quoted in ASCII, and cut if it is long.
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

func tooMany(where string) error {
	return &syncproto.ProtocolError{Code: syncproto.CodeLimit, Text: where + ": more than " +
		strconv.Itoa(syncproto.MaxValues) + " values in one message"}
}

// place names a position in an encoding for an error.
func place(codec string, offset int) string { return codec + " at byte " + strconv.Itoa(offset) }

func depthOf(l syncproto.Limits) int { return int(l.WithDefaults().Depth) }
