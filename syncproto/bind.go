package syncproto

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ToValue turns a Go value into the data model: structs become maps (field tag `sync:"name"` or `sync:"name,omitempty"`; a field without the tag does not
// travel), slices become lists, []byte becomes bytes, pointers what they point to or null. T is built of these, bool, string, and integers;
// anything else is a mistake of the program and an error that names the type. Strings that are not UTF-8 are an error too, with the field's path:
// nothing is changed silently on its way.
func ToValue[T any](t T) (Value, error) { return toValue(reflect.ValueOf(&t).Elem()) }

// FromValue fills t from v, the reverse of ToValue. Fields of v that T does not know are ignored when lenient, as CONFIG asks for, so that a newer
// parent can tell an older child more; otherwise they are an error. An error names the field by its path.
func FromValue[T any](v Value, t *T, lenient bool) error {
	return fromValue(v, reflect.ValueOf(t).Elem(), lenient)
}

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

// under is err one step further out: the path is put together on the way back, so that it costs nothing where there is no error.
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

// bound is a field of a struct that travels.
type bound struct {
	name  string
	omit  bool // where it is empty
	index int
}

// layouts are the fields of the structs that were met so far, by their reflect.Type: tags are read once.
var layouts sync.Map

func layout(t reflect.Type) []bound {
	if l, ok := layouts.Load(t); ok {
		return *l.(*[]bound)
	}
	var l []bound
	for i := range t.NumField() {
		name, opt, _ := strings.Cut(t.Field(i).Tag.Get("sync"), ",")
		if name != "" {
			l = append(l, bound{name, opt == "omitempty", i})
		}
	}
	layouts.Store(t, &l)
	return l
}

func toValue(r reflect.Value) (Value, error) {
	switch r.Kind() {
	case reflect.Bool:
		return BoolValue(r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return IntValue(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return UintValue(r.Uint()), nil
	case reflect.String:
		v := StringValue(r.String())
		if v.text() != r.String() {
			return Value{}, &BindError{"", "not valid UTF-8: " + strconv.QuoteToASCII(r.String())}
		}
		return v, nil
	case reflect.Pointer:
		if r.IsNil() {
			return Value{}, nil
		}
		return toValue(r.Elem())
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return BytesValue(r.Bytes()), nil
		}
		list := make([]Value, r.Len())
		for i := range list {
			v, err := toValue(r.Index(i))
			if err != nil {
				return Value{}, underIndex(err, i)
			}
			list[i] = v
		}
		return ListValue(list...), nil
	case reflect.Struct:
		if r.Type() == reflect.TypeFor[Value]() { // looked at before Interface, which copies every struct
			return r.Interface().(Value), nil
		}
		return structToValue(r)
	}
	return Value{}, &BindError{"", "the data model has no " + r.Type().String()}
}

func structToValue(r reflect.Value) (Value, error) {
	l := layout(r.Type())
	fields := make([]Field, 0, len(l))
	for _, f := range l {
		if f.omit && isEmpty(r.Field(f.index)) {
			continue
		}
		v, err := toValue(r.Field(f.index))
		if err != nil {
			return Value{}, under(err, f.name)
		}
		fields = append(fields, Field{f.name, v})
	}
	return MapValue(fields...), nil
}

func isEmpty(r reflect.Value) bool {
	if r.Kind() == reflect.Slice {
		return r.Len() == 0
	}
	return r.IsZero()
}

func fromValue(v Value, r reflect.Value, lenient bool) error {
	if r.Kind() == reflect.Pointer {
		if v.kind == Null {
			r.SetZero()
			return nil
		}
		r.Set(reflect.New(r.Type().Elem()))
		return fromValue(v, r.Elem(), lenient)
	}
	switch r.Kind() {
	case reflect.Bool:
		b, ok := v.Bool()
		if !ok {
			return mismatch("bool", v)
		}
		r.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := v.Int()
		if !ok || r.OverflowInt(n) {
			return mismatch(r.Kind().String(), v)
		}
		r.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := v.Uint()
		if !ok || r.OverflowUint(n) {
			return mismatch(r.Kind().String(), v)
		}
		r.SetUint(n)
	case reflect.String:
		if v.kind != String {
			return mismatch("string", v)
		}
		r.SetString(v.text())
	case reflect.Slice:
		return fromList(v, r, lenient)
	case reflect.Struct:
		if r.Type() == reflect.TypeFor[Value]() {
			r.Set(reflect.ValueOf(v))
			return nil
		}
		return fromMap(v, r, lenient)
	default:
		return &BindError{"", "the data model has no " + r.Type().String()}
	}
	return nil
}

func fromList(v Value, r reflect.Value, lenient bool) error {
	if r.Type().Elem().Kind() == reflect.Uint8 {
		if v.kind != Bytes {
			return mismatch("bytes", v)
		}
		r.SetBytes([]byte(v.text()))
		return nil
	}
	if v.kind != List {
		return mismatch("list", v)
	}
	list := v.List()
	r.Set(reflect.MakeSlice(r.Type(), len(list), len(list)))
	for i, e := range list {
		if err := fromValue(e, r.Index(i), lenient); err != nil {
			return underIndex(err, i)
		}
	}
	return nil
}

func fromMap(v Value, r reflect.Value, lenient bool) error {
	if v.kind != Map {
		return mismatch("map", v)
	}
	l := layout(r.Type())
	known := 0
	for _, f := range l {
		e, ok := v.Get(f.name)
		if !ok {
			continue
		}
		known++
		if err := fromValue(e, r.Field(f.index), lenient); err != nil {
			return under(err, f.name)
		}
	}
	if known == len(v.Fields()) || lenient {
		return nil
	}
	for _, f := range v.Fields() {
		if !slices.ContainsFunc(l, func(b bound) bool { return b.name == f.Name }) {
			return &BindError{f.Name, "unknown field"}
		}
	}
	return nil
}

func mismatch(want string, got Value) error {
	text := string(got.appendText(nil, 64))
	if len(text) > 40 {
		text = cutText(text, 40) + "..."
	}
	return &BindError{"", "want " + want + ", got " + got.kind.String() + " " + text}
}
