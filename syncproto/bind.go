package syncproto

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// ToValue turns a Go value into the data model. A T is built of
//
//   - bool, string and integers of every size but uintptr, also under names of their own;
//   - slices and arrays, which are lists, of a fixed length for an array; of bytes, they are bytes;
//   - map[string]E, which is a map, written in the order of its keys;
//   - structs, which are maps of those fields that have a tag `sync:"name"` or `sync:"name,omitempty"`. With omitempty
//     a field does not travel where it is zero or of no length, and may be absent. Fields without a tag stay behind, as
//     do those tagged "-". An embedded field needs a tag like any other, and a struct must have a tag somewhere:
//     otherwise a time.Time, say, would get lost without a word;
//   - struct{}, which is null: the argument of a request that has nothing to say;
//   - pointers, which are null or what they point to, and Value itself.
//
// Anything else is a mistake of the program, and an error that names the type and the field's path: a *BindError. So
// are text that is not UTF-8, keys that no codec takes, and pointers that lead back to themselves. Nothing is changed
// silently on its way.
func ToValue[T any](t T) (Value, error) { return toValue(reflect.ValueOf(&t).Elem(), maxNesting) }

// FromValue fills t from v, the reverse of ToValue. Every field without omitempty must be there, null where that is
// what it holds; one that may be absent, and is, keeps what t had. Fields of v that T does not know are ignored when
// lenient, as CONFIG asks for, so that a newer parent can tell an older child more; otherwise they are an error.
// Lenient means nothing else: what is required stays required. An error is a *BindError that names the field by its
// path, and leaves t filled in part.
func FromValue[T any](v Value, t *T, lenient bool) error {
	return fromValue(v, reflect.ValueOf(t).Elem(), lenient)
}

// maxNesting is how many structs, lists and maps may lie within each other in a Go value: more than any limit admits.
// What goes on for longer is a cycle of pointers, or might as well be one.
const maxNesting = 255

// maxPointers is how many pointers may lead to one another before there is a value.
const maxPointers = 16

// BindError says which field of a value could not be bound, and why.
type BindError struct {
	Path string // such as mounts[3].destination; empty for the value itself
	Why  string
}

func (e *BindError) Error() string {
	if e.Path == "" {
		return "value: " + e.Why
	}
	return e.Path + ": " + e.Why
}

// under is err one step further out: the path is put together on the way back, so that it costs nothing where there is
// no error.
func under(err error, step string) error {
	e, ok := err.(*BindError)
	if !ok {
		return err
	}
	if e.Path != "" && e.Path[0] != '[' {
		step += "."
	}
	return &BindError{step + e.Path, e.Why}
}

func underIndex(err error, i int) error { return under(err, "["+strconv.Itoa(i)+"]") }

func underKey(err error, key string) error {
	if len(key) > 40 {
		key = cutText(key, 40) + "..."
	}
	return under(err, "["+strconv.QuoteToASCII(key)+"]")
}

// bound is a field of a struct that travels.
type bound struct {
	name  string
	omit  bool // where it is empty
	index int
}

// layout is what is known of a struct.
type layout struct {
	fields []bound
	wrong  string // why no value can be made of it; empty for nothing
}

// layouts are those of the structs that were met so far, by their reflect.Type: tags are read once.
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

// readTags reads the tags of a struct. What it refuses would lose data, or could not be told apart on the wire.
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

// isUnit reports whether t is a struct{}, by whatever name.
func isUnit(t reflect.Type) bool { return t.NumField() == 0 }

func mismatch(want string, got Value) error {
	text := string(got.appendText(nil, 64))
	if len(text) > 40 {
		text = cutText(text, 40) + "..."
	}
	return &BindError{"", "want " + want + ", got " + got.kind.String() + " " + text}
}
