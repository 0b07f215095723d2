package syncproto

import (
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"
)

// ValueKind is the type of a Value.
type ValueKind uint8

// The kinds of the data model. Every codec carries exactly these, so a message means the same in each of them.
const (
	Null   ValueKind = iota
	Bool             // true or false
	Int              // an integer from -2^63 to 2^64-1; the model has no fractions
	String           // text: valid UTF-8
	Bytes            // any bytes
	List             // values in order
	Map              // fields in order, names unique
)

var valueKindNames = [...]string{"null", "bool", "integer", "string", "bytes", "list", "map"}

// String returns the kind's name as used in errors.
func (k ValueKind) String() string {
	if int(k) < len(valueKindNames) {
		return valueKindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// MaxValues is the maximum number of values in one message, counted at every depth, including the message itself but
// not the names of maps. No limit changes it. An encoded value can be a single byte while its reader needs a whole
// Value for it: without this bound a message could cost its reader many times its size.
const MaxValues = 1 << 18

// Value is one value of the protocol's data model, which codecs encode and decode. It is never an interface, so its
// type is never a guess. The zero Value is null. A Value is immutable once made; copies share their lists. Compare
// Values with Equal, not with ==.
//
// A Value takes only three words, because a message may consist of nothing but values: data points to what kind says,
// and num is how many there are. This is the only use of package unsafe in the package: data is set by the functions
// below that make a Value, and read by text, List and Fields, which check the kind first.
type Value struct {
	_    [0]func() // no ==
	kind ValueKind
	neg  bool   // Int: num holds the two's complement of a negative number
	num  uint64 // Bool and Int: the value; String and Bytes: bytes; List and Map: elements
	// String and Bytes: the first byte; List: the first Value; Map: the first Field; nil where num is zero
	data unsafe.Pointer
}

// Field is one entry of a Map.
type Field struct {
	Name  string
	Value Value
}

// BoolValue returns b as a Value.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// IntValue returns n as a Value.
func IntValue(n int64) Value { return Value{kind: Int, neg: n < 0, num: uint64(n)} }

// UintValue returns n as a Value; below 2^63 it equals IntValue of the same number.
func UintValue(n uint64) Value { return Value{kind: Int, num: n} }

// StringValue returns s as a Value. Invalid UTF-8 in s is replaced by U+FFFD; use BytesValue for other bytes.
func StringValue(s string) Value {
	if !utf8.ValidString(s) {
		s = validText(s)
	}
	return stringOrBytes(String, s)
}

func stringOrBytes(k ValueKind, s string) Value {
	if s == "" {
		return Value{kind: k}
	}
	return Value{kind: k, num: uint64(len(s)), data: unsafe.Pointer(unsafe.StringData(s))}
}

// text returns the bytes of a String or a Bytes, and the empty string for every other kind.
func (v Value) text() string {
	if v.kind != String && v.kind != Bytes {
		return ""
	}
	return unsafe.String((*byte)(v.data), v.num)
}

// BytesValue returns a copy of b as a Value.
func BytesValue(b []byte) Value { return stringOrBytes(Bytes, string(b)) }

// ListValue returns a list of vs; the Value keeps the slice.
func ListValue(vs ...Value) Value {
	if len(vs) == 0 {
		return Value{kind: List}
	}
	return Value{kind: List, num: uint64(len(vs)), data: unsafe.Pointer(unsafe.SliceData(vs))}
}

// MapValue returns a map of fields in the given order; the Value keeps the slice. Names must be unique: codecs refuse
// to encode a Value in which they are not.
func MapValue(fields ...Field) Value {
	if len(fields) == 0 {
		return Value{kind: Map}
	}
	return Value{kind: Map, num: uint64(len(fields)), data: unsafe.Pointer(unsafe.SliceData(fields))}
}

// Kind returns the type of the value.
func (v Value) Kind() ValueKind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool returns the value of a Bool; ok is false for every other kind.
func (v Value) Bool() (b, ok bool) { return v.kind == Bool && v.num != 0, v.kind == Bool }

// Int returns the value of an Int that fits an int64; ok is false otherwise.
func (v Value) Int() (n int64, ok bool) {
	if v.kind != Int {
		return 0, false
	}
	return int64(v.num), v.neg || v.num <= math.MaxInt64
}

// Uint returns the value of an Int that is not negative; ok is false otherwise.
func (v Value) Uint() (n uint64, ok bool) {
	if v.kind != Int {
		return 0, false
	}
	return v.num, !v.neg
}

// Text returns the value of a String; ok is false for every other kind.
func (v Value) Text() (s string, ok bool) { return v.text(), v.kind == String }

// RawBytes returns the value of a Bytes, as a string because it cannot change; ok is false for every other kind.
func (v Value) RawBytes() (b string, ok bool) { return v.text(), v.kind == Bytes }

// List returns the elements of a List, and nil for every other kind. The caller must not change them.
func (v Value) List() []Value {
	if v.kind != List {
		return nil
	}
	return unsafe.Slice((*Value)(v.data), v.num)
}

// Fields returns the entries of a Map, and nil for every other kind. The caller must not change them.
func (v Value) Fields() []Field {
	if v.kind != Map {
		return nil
	}
	return unsafe.Slice((*Field)(v.data), v.num)
}

// Get returns the field of a Map with exactly this name; ok is false if there is none, or if v is not a Map.
func (v Value) Get(name string) (f Value, ok bool) {
	fields := v.Fields()
	for i := range fields {
		if fields[i].Name == name {
			return fields[i].Value, true
		}
	}
	return Value{}, false
}

// Equal reports whether v and w are the same value; the order of a Map's fields does not matter. Values nested deeper
// than any limit permits, which no codec encodes, are equal only if they share their lists.
func (v Value) Equal(w Value) bool { return v.equal(w, maxNesting) }

func (v Value) equal(w Value, depth int) bool {
	if v.kind != w.kind || v.neg != w.neg || v.num != w.num || v.text() != w.text() {
		return false
	}
	if v.data == w.data {
		return true
	}
	list, other := v.List(), w.List()
	for i := range list {
		if depth == 0 || !list[i].equal(other[i], depth-1) {
			return false
		}
	}
	return equalFields(v.Fields(), w.Fields(), depth)
}

// equalFields compares two maps of the same length. The order is usually the same, and no search is needed. If it is
// not, and the maps are large, an index is built: otherwise a peer could make this take quadratic time.
func equalFields(a, b []Field, depth int) bool {
	if len(a) > 0 && depth == 0 {
		return false
	}
	const few = 16
	var index map[string]Value
	for i := range a {
		if a[i].Name == b[i].Name {
			if !a[i].Value.equal(b[i].Value, depth-1) {
				return false
			}
			continue
		}
		if index == nil && len(b) > few {
			index = make(map[string]Value, len(b))
			for j := range b {
				index[b[j].Name] = b[j].Value
			}
		}
		g, ok := index[a[i].Name]
		if index == nil {
			g, ok = MapValue(b...).Get(a[i].Name)
		}
		if !ok || !a[i].Value.equal(g, depth-1) {
			return false
		}
	}
	return true
}

// String formats the value in one line, close to JSON, for errors and test output; it is not an encoding. What is
// nested deeper than any limit permits is shown as "...", and so is what follows the first 4 MiB.
func (v Value) String() string {
	const most = 4 << 20
	b := v.appendText(nil, most, maxNesting)
	if len(b) > most {
		b = append(b, "..."...)
	}
	return string(b)
}

// appendText appends what String returns. If that is longer than most bytes, it appends only a beginning of at least
// most bytes, and does no more work than that takes.
func (v Value) appendText(b []byte, most, depth int) []byte {
	if depth < 0 {
		return append(b, "..."...)
	}
	switch v.kind {
	case Bool:
		return strconv.AppendBool(b, v.num != 0)
	case Int:
		if v.neg {
			return strconv.AppendInt(b, int64(v.num), 10)
		}
		return strconv.AppendUint(b, v.num, 10)
	case String:
		return strconv.AppendQuote(b, prefix(v.text(), most))
	case Bytes:
		return append(strconv.AppendQuoteToASCII(append(b, "bytes("...), prefix(v.text(), most)), ')')
	case List:
		b = append(b, '[')
		for i, e := range v.List() {
			if len(b) > most {
				return b
			}
			if i > 0 {
				b = append(b, ' ')
			}
			b = e.appendText(b, most, depth-1)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, f := range v.Fields() {
			if len(b) > most {
				return b
			}
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(append(b, prefix(f.Name, most)...), ':')
			b = f.Value.appendText(b, most, depth-1)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

func prefix(s string, most int) string { return s[:min(len(s), most)] }

// validText returns s with every byte that is not valid UTF-8 replaced by U+FFFD.
func validText(s string) string {
	out := make([]byte, 0, len(s)+8)
	for _, r := range s {
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
