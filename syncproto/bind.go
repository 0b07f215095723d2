package syncproto

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// ToValue converts a Go value to the data model. T is built from
//
//   - bool, string and integers of every size but uintptr, and named types of them;
//   - slices and arrays, which become lists, of a fixed length for an array; slices and arrays of bytes become bytes;
//   - map[string]E, which becomes a map, written in the order of its keys;
//   - structs, which become maps of the fields with a tag `sync:"name"` or `sync:"name,omitempty"`. With omitempty a
//     field that is zero or of length zero is left out, and may be absent when decoding. Fields without a tag, or
//     with the tag "-", are ignored. An embedded field needs a tag like any other, and a struct must have at least
//     one tag: otherwise the contents of a time.Time, say, would be lost without an error;
//   - struct{}, which becomes null: the argument of a request that needs none;
//   - pointers, which become null or what they point to, and Value itself.
//
// Any other type is a bug in the program; ToValue returns a *BindError that names the type and the path of the field.
// It does the same for text that is not UTF-8, for keys that no codec accepts, and for cycles of pointers. ToValue
// never changes a value silently.
func ToValue[T any](t T) (Value, error) { return toValue(reflect.ValueOf(&t).Elem(), maxNesting) }

// FromValue fills t from v; it is the reverse of ToValue. Every field without omitempty must be present, as null if
// that is its value. An absent field with omitempty keeps its value in t. Fields of v that T does not have are ignored
// if lenient is set, and an error otherwise. CONFIG is decoded leniently, so that a newer parent can tell an older
// child more. Lenient has no other effect: required fields stay required. An error is a *BindError with the path of the
// field; t may then be partly filled.
func FromValue[T any](v Value, t *T, lenient bool) error {
	return fromValue(v, reflect.ValueOf(t).Elem(), lenient)
}

// maxNesting is how deeply structs, lists and maps may be nested in a Go value: deeper than any limit permits. Anything
// deeper is a cycle of pointers, or might as well be one.
const maxNesting = 255

// maxPointers is how many pointers may follow one another before a value.
const maxPointers = 16

// BindError says which field of a value could not be converted, and why.
type BindError struct {
	Path string // for example mounts[3].destination; empty for the value itself
	Why  string
}

func (e *BindError) Error() string {
	if e.Path == "" {
		return "value: " + e.Why
	}
	return e.Path + ": " + e.Why
}

// prefixPath prepends a step to the path of err. The path is built while the error is returned, so it costs nothing
// where there is no error.
func prefixPath(err error, step string) error {
	e, ok := err.(*BindError)
	if !ok {
		return err
	}
	if e.Path != "" && e.Path[0] != '[' {
		step += "."
	}
	return &BindError{step + e.Path, e.Why}
}

func prefixIndex(err error, i int) error { return prefixPath(err, "["+strconv.Itoa(i)+"]") }

func prefixKey(err error, key string) error { return prefixPath(err, quoteKey(key)) }

// quoteKey returns a name of a map as a step of a path.
func quoteKey(key string) string {
	if len(key) > 40 {
		key = cutText(key, 40) + "..."
	}
	return "[" + strconv.QuoteToASCII(key) + "]"
}

// foreignName returns the name of a field that the peer has chosen as a step of a path: as it is if it looks like a
// name, and otherwise quoted, because errors are shown on terminals and in logs.
func foreignName(name string) string {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return quoteKey(name)
		}
	}
	if name == "" || len(name) > 40 {
		return quoteKey(name)
	}
	return name
}

// bound is a field of a struct that is encoded.
type bound struct {
	name  string
	omit  bool // left out if empty
	index int
}

// layout is what the tags of a struct say.
type layout struct {
	fields []bound
	wrong  string // why the struct cannot be encoded; empty if it can
}

// layouts caches the layout of each struct by its reflect.Type, so tags are parsed once.
var layouts sync.Map

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := &layout{}
	l.fields, l.wrong = readTags(t)
	layouts.Store(t, l)
	return l
}

// readTags parses the tags of a struct. It refuses tags that would lose data or be ambiguous on the wire.
func readTags(t reflect.Type) (fields []bound, wrong string) {
	seen := make(map[string]string)
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("sync")
		name, opt, _ := strings.Cut(tag, ",")
		where := "field " + f.Name + " of " + t.String()
		switch {
		case tag == "-":
			continue
		case !tagged && f.Anonymous:
			return nil, "embedded " + f.Name + " of " + t.String() + " has no sync tag, so its fields would be lost"
		case !tagged:
			continue
		case !f.IsExported():
			return nil, where + " has a sync tag but is not exported"
		case name == "" || name[0] == '$' || !utf8.ValidString(name):
			return nil, where + " has the name " + strconv.QuoteToASCII(name) + ", which no codec takes"
		case opt != "" && opt != "omitempty":
			return nil, where + " has the option " + strconv.QuoteToASCII(opt) + "; there is omitempty alone"
		case seen[name] != "":
			return nil, "fields " + seen[name] + " and " + f.Name + " of " + t.String() + " have the same name"
		}
		seen[name] = f.Name
		fields = append(fields, bound{name, opt == "omitempty", i})
	}
	if len(fields) == 0 {
		return nil, "the data model has no " + t.String() + ": no field of it has a sync tag"
	}
	return fields, ""
}

func noSuchType(t reflect.Type) error { return &BindError{"", "the data model has no " + t.String()} }

func isByte(t reflect.Type) bool { return t.Kind() == reflect.Uint8 }

// isUnit reports whether t is struct{} or a named type of it.
func isUnit(t reflect.Type) bool { return t.NumField() == 0 }

func mismatch(want string, got Value) error {
	text := string(got.appendText(nil, 64, maxNesting))
	if len(text) > 40 {
		text = cutText(text, 40) + "..."
	}
	return &BindError{"", "want " + want + ", got " + got.kind.String() + " " + text}
}
