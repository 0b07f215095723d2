package systemd

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Value is a D-Bus value. The functions of this package make values, which do not change afterwards.
type Value struct {
	kind  string  // signature of one complete type (D-Bus Specification, "Type System")
	n     uint64  // of a boolean, a number (sign extended), a double (its bits)
	text  string  // of a string, an object path, a signature
	items []Value // of an array, a structure, an entry of a dictionary (two), a variant (one)
}

func boolean(b bool) Value {
	v := Value{kind: "b"}
	if b {
		v.n = 1
	}
	return v
}

func text(s string) Value                   { return Value{kind: "s", text: s} }
func uint32v(n uint32) Value                { return Value{kind: "u", n: uint64(n)} }
func uint64v(n uint64) Value                { return Value{kind: "t", n: n} }
func double(f float64) Value                { return Value{kind: "d", n: math.Float64bits(f)} }
func object(p string) Value                 { return Value{kind: "o", text: p} }
func variant(v Value) Value                 { return Value{kind: "v", items: []Value{v}} }
func array(of string, items ...Value) Value { return Value{kind: "a" + of, items: items} }

func tuple(items ...Value) Value {
	v := Value{items: items}
	for _, i := range items {
		v.kind += i.kind
	}
	v.kind = "(" + v.kind + ")"
	return v
}

func texts(all ...string) Value {
	v := Value{kind: "as"}
	for _, s := range all {
		v.items = append(v.items, text(s))
	}
	return v
}

func octets(b []byte) Value {
	v := Value{kind: "ay"}
	for _, c := range b {
		v.items = append(v.items, Value{kind: "y", n: uint64(c)})
	}
	return v
}

// String returns the value in GVariant's text format, with its type unless that is the default. parseValue parses it.
func (v Value) String() string {
	var b strings.Builder
	v.print(&b)
	return b.String()
}

func (v Value) print(b *strings.Builder) {
	if v.kind == "" {
		return
	}
	switch v.kind[0] {
	case 'b':
		b.WriteString(strconv.FormatBool(v.n != 0))
	case 'y':
		fmt.Fprintf(b, "byte 0x%02x", v.n)
	case 'i':
		b.WriteString(strconv.FormatInt(int64(v.n), 10))
	case 'n', 'x':
		b.WriteString(keyword(v.kind) + " " + strconv.FormatInt(int64(v.n), 10))
	case 'q', 'u', 't':
		b.WriteString(keyword(v.kind) + " " + strconv.FormatUint(v.n, 10))
	case 'd':
		b.WriteString("double " + strings.ToLower(strconv.FormatFloat(math.Float64frombits(v.n), 'g', -1, 64)))
	case 's':
		b.WriteString(quote(v.text))
	case 'o', 'g':
		b.WriteString(keyword(v.kind) + " " + quote(v.text))
	default:
		v.printItems(b)
	}
}

// keyword returns what the text format has before a value of a type.
func keyword(kind string) string {
	for _, k := range keywords {
		if k.kind == kind {
			return k.word
		}
	}
	return ""
}

// keywords of the text format (docs.gtk.org/glib, "GVariant Text Format").
var keywords = [...]struct{ word, kind string }{
	{"boolean", "b"}, {"byte", "y"}, {"int16", "n"}, {"uint16", "q"}, {"int32", "i"}, {"uint32", "u"}, {"int64", "x"},
	{"uint64", "t"}, {"double", "d"},
	{"string", "s"}, {"objectpath", "o"}, {"signature", "g"},
}

func (v Value) printItems(b *strings.Builder) {
	open, end := "[", "]"
	switch v.kind[0] {
	case '(':
		open, end = "(", ")"
		if len(v.items) == 1 {
			end = ",)"
		}
	case 'v':
		open, end = "<", ">"
	case '{':
		open, end = "{", "}"
	}
	if v.kind[0] == 'a' && (len(v.items) == 0 || strings.HasPrefix(v.kind, "a{")) {
		b.WriteString("@" + v.kind + " ")
	}
	b.WriteString(open)
	for i, item := range v.items {
		if i > 0 {
			b.WriteString(", ")
		}
		item.print(b)
	}
	b.WriteString(end)
}

// quote writes a string as the text format does, in single quotes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
