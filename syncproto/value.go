package syncproto

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// ValueKind is the type of a Value.
type ValueKind uint8

// The kinds of the value model. Every codec carries exactly these, so that any message means the same in each of them.
const (
	Null   ValueKind = iota
	Bool             // true or false
	Int              // an integer from -2^63 to 2^64-1; there are no fractions
	String           // text: valid UTF-8
	Bytes            // any bytes
	List             // values in order
	Map              // fields in order, names unique
)

var valueKindNames = [...]string{"null", "bool", "integer", "string", "bytes", "list", "map"}

// String is the kind's name as errors print it.
func (k ValueKind) String() string {
	if int(k) < len(valueKindNames) {
		return valueKindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Value is one value of the protocol's data model: what a codec encodes and decodes, and never an interface, so there is nothing to guess.
// The zero Value is null. A Value is immutable once made: copies share their lists.
type Value struct {
	kind   ValueKind
	neg    bool    // Int: num holds the two's complement of a negative number
	num    uint64  // Bool, Int
	str    string  // String, Bytes
	list   []Value // List
	fields []Field // Map
}

// Field is one entry of a Map.
type Field struct {
	Name  string
	Value Value
}

// BoolValue is b as a Value.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// IntValue is n as a Value.
func IntValue(n int64) Value { return Value{kind: Int, neg: n < 0, num: uint64(n)} }

// UintValue is n as a Value; below 2^63 it equals IntValue of the same number.
func UintValue(n uint64) Value { return Value{kind: Int, num: n} }

// StringValue is s as a Value. What is not UTF-8 in s becomes U+FFFD: the model has no other text, and bytes have a kind of their own.
func StringValue(s string) Value {
	if !utf8.ValidString(s) {
		s = validText(s)
	}
	return Value{kind: String, str: s}
}

// BytesValue is b as a Value; b is copied.
func BytesValue(b []byte) Value { return Value{kind: Bytes, str: string(b)} }

// ListValue is a list of vs; the Value keeps the slice.
func ListValue(vs ...Value) Value { return Value{kind: List, list: vs} }

// MapValue is a map of fields in their order; the Value keeps the slice. Names must be unique: codecs refuse to encode a Value where they are not.
func MapValue(fields ...Field) Value { return Value{kind: Map, fields: fields} }

// Kind is the value's type.
func (v Value) Kind() ValueKind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool is the value of a Bool; ok is false for every other kind.
func (v Value) Bool() (b, ok bool) { return v.num != 0, v.kind == Bool }

// Int is the value of an Int that fits an int64; ok is false for every other.
func (v Value) Int() (n int64, ok bool) {
	return int64(v.num), v.kind == Int && (v.neg || v.num <= math.MaxInt64)
}

// Uint is the value of an Int that is not negative; ok is false for every other.
func (v Value) Uint() (n uint64, ok bool) { return v.num, v.kind == Int && !v.neg }

// Text is the value of a String; ok is false for every other kind.
func (v Value) Text() (s string, ok bool) { return v.str, v.kind == String }

// RawBytes is the value of a Bytes, as a string since it cannot change; ok is false for every other kind.
func (v Value) RawBytes() (b string, ok bool) { return v.str, v.kind == Bytes }

// List is the elements of a List, nil for every other kind. They are not the caller's to change.
func (v Value) List() []Value { return v.list }

// Fields are the entries of a Map, nil for every other kind. They are not the caller's to change.
func (v Value) Fields() []Field { return v.fields }

// Get is the field of a Map by its exact name; ok is false where there is none, or v is not a Map.
func (v Value) Get(name string) (f Value, ok bool) {
	for i := range v.fields {
		if v.fields[i].Name == name {
			return v.fields[i].Value, true
		}
	}
	return Value{}, false
}

// Equal reports whether v and w are the same value; the order of a Map's fields does not count.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind || v.neg != w.neg || v.num != w.num || v.str != w.str ||
		len(v.list) != len(w.list) || len(v.fields) != len(w.fields) {
		return false
	}
	for i := range v.list {
		if !v.list[i].Equal(w.list[i]) {
			return false
		}
	}
	for i, f := range v.fields {
		// Mostly the order is the same, and then nothing must be searched.
		g, ok := w.fields[i].Value, w.fields[i].Name == f.Name
		if !ok {
			g, ok = w.Get(f.Name)
		}
		if !ok || !f.Value.Equal(g) {
			return false
		}
	}
	return true
}

// String prints the value in one line, close to JSON, for errors and test output; it is not an encoding.
func (v Value) String() string { return string(v.appendText(nil)) }

func (v Value) appendText(b []byte) []byte {
	switch v.kind {
	case Bool:
		return strconv.AppendBool(b, v.num != 0)
	case Int:
		if v.neg {
			return strconv.AppendInt(b, int64(v.num), 10)
		}
		return strconv.AppendUint(b, v.num, 10)
	case String:
		return strconv.AppendQuote(b, v.str)
	case Bytes:
		return append(strconv.AppendQuoteToASCII(append(b, "bytes("...), v.str), ')')
	case List:
		b = append(b, '[')
		for i, e := range v.list {
			if i > 0 {
				b = append(b, ' ')
			}
			b = e.appendText(b)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, f := range v.fields {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(append(b, f.Name...), ':')
			b = f.Value.appendText(b)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// validText is s with every byte that is not part of valid UTF-8 replaced by U+FFFD.
func validText(s string) string {
	out := make([]byte, 0, len(s)+8)
	for _, r := range s {
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
