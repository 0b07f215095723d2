package syncproto

import (
	"reflect"
	"strconv"
	"strings"
)

// ToValue turns a Go value into the data model: structs become maps (field tag `sync:"name"` or `sync:"name,omitempty"`; a field without the tag does not
// travel), slices become lists, []byte becomes bytes, pointers what they point to or null. T is built of these, bool, string, and integers;
// anything else is a mistake of the program and an error that names the type. Strings that are not UTF-8 are an error too, with the field's path:
// nothing is changed silently on its way.
func ToValue[T any](t T) (Value, error) { return toValue(reflect.ValueOf(&t).Elem(), "") }

// FromValue fills t from v, the reverse of ToValue. Fields of v that T does not know are ignored when lenient, as CONFIG asks for, so that a newer
// parent can tell an older child more; otherwise they are an error. An error names the field by its path.
func FromValue[T any](v Value, t *T, lenient bool) error {
	return fromValue(v, reflect.ValueOf(t).Elem(), "", lenient)
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

func at(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func atIndex(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func tag(f reflect.StructField) (name string, omitempty bool) {
	name, opt, _ := strings.Cut(f.Tag.Get("sync"), ",")
	return name, opt == "omitempty"
}

func toValue(r reflect.Value, path string) (Value, error) {
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
			return Value{}, &BindError{path, "not valid UTF-8: " + strconv.QuoteToASCII(r.String())}
		}
		return v, nil
	case reflect.Pointer:
		if r.IsNil() {
			return Value{}, nil
		}
		return toValue(r.Elem(), path)
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return BytesValue(r.Bytes()), nil
		}
		list := make([]Value, r.Len())
		for i := range list {
			v, err := toValue(r.Index(i), atIndex(path, i))
			if err != nil {
				return Value{}, err
			}
			list[i] = v
		}
		return ListValue(list...), nil
	case reflect.Struct:
		if v, ok := r.Interface().(Value); ok {
			return v, nil
		}
		return structToValue(r, path)
	}
	return Value{}, &BindError{path, "the data model has no " + r.Type().String()}
}

func structToValue(r reflect.Value, path string) (Value, error) {
	t := r.Type()
	fields := make([]Field, 0, t.NumField())
	for i := range t.NumField() {
		name, omit := tag(t.Field(i))
		if name == "" || omit && isEmpty(r.Field(i)) {
			continue
		}
		v, err := toValue(r.Field(i), at(path, name))
		if err != nil {
			return Value{}, err
		}
		fields = append(fields, Field{name, v})
	}
	return MapValue(fields...), nil
}

func isEmpty(r reflect.Value) bool {
	if r.Kind() == reflect.Slice {
		return r.Len() == 0
	}
	return r.IsZero()
}

func fromValue(v Value, r reflect.Value, path string, lenient bool) error {
	if r.Kind() == reflect.Pointer {
		if v.kind == Null {
			r.SetZero()
			return nil
		}
		r.Set(reflect.New(r.Type().Elem()))
		return fromValue(v, r.Elem(), path, lenient)
	}
	switch r.Kind() {
	case reflect.Bool:
		b, ok := v.Bool()
		if !ok {
			return mismatch(path, "bool", v)
		}
		r.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := v.Int()
		if !ok || r.OverflowInt(n) {
			return mismatch(path, r.Kind().String(), v)
		}
		r.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := v.Uint()
		if !ok || r.OverflowUint(n) {
			return mismatch(path, r.Kind().String(), v)
		}
		r.SetUint(n)
	case reflect.String:
		if v.kind != String {
			return mismatch(path, "string", v)
		}
		r.SetString(v.text())
	case reflect.Slice:
		return fromList(v, r, path, lenient)
	case reflect.Struct:
		if r.Type() == reflect.TypeFor[Value]() {
			r.Set(reflect.ValueOf(v))
			return nil
		}
		return fromMap(v, r, path, lenient)
	default:
		return &BindError{path, "the data model has no " + r.Type().String()}
	}
	return nil
}

func fromList(v Value, r reflect.Value, path string, lenient bool) error {
	if r.Type().Elem().Kind() == reflect.Uint8 {
		if v.kind != Bytes {
			return mismatch(path, "bytes", v)
		}
		r.SetBytes([]byte(v.text()))
		return nil
	}
	if v.kind != List {
		return mismatch(path, "list", v)
	}
	list := v.List()
	r.Set(reflect.MakeSlice(r.Type(), len(list), len(list)))
	for i, e := range list {
		if err := fromValue(e, r.Index(i), atIndex(path, i), lenient); err != nil {
			return err
		}
	}
	return nil
}

func fromMap(v Value, r reflect.Value, path string, lenient bool) error {
	if v.kind != Map {
		return mismatch(path, "map", v)
	}
	t := r.Type()
	known := 0
	for i := range t.NumField() {
		name, _ := tag(t.Field(i))
		f, ok := v.Get(name)
		if name == "" || !ok {
			continue
		}
		known++
		if err := fromValue(f, r.Field(i), at(path, name), lenient); err != nil {
			return err
		}
	}
	if known == len(v.Fields()) || lenient {
		return nil
	}
	for _, f := range v.Fields() {
		if !hasField(t, f.Name) {
			return &BindError{at(path, f.Name), "unknown field"}
		}
	}
	return nil
}

func hasField(t reflect.Type, name string) bool {
	for i := range t.NumField() {
		if n, _ := tag(t.Field(i)); n == name && n != "" {
			return true
		}
	}
	return false
}

func mismatch(path, want string, got Value) error {
	text := string(got.appendText(nil, 64))
	if len(text) > 40 {
		text = cutText(text, 40) + "..."
	}
	return &BindError{path, "want " + want + ", got " + got.kind.String() + " " + text}
}
