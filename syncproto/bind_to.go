package syncproto

import (
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// toValue is ToValue for a value in which structs, lists and maps may be nested at most depth deep.
func toValue(r reflect.Value, depth int) (Value, error) {
	for range maxPointers {
		if r.Kind() != reflect.Pointer {
			break
		}
		if r.IsNil() {
			return Value{}, nil
		}
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.Bool:
		return BoolValue(r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return IntValue(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return UintValue(r.Uint()), nil
	case reflect.String:
		if !utf8.ValidString(r.String()) {
			return Value{}, &BindError{"", "not valid UTF-8: " + strconv.QuoteToASCII(r.String())}
		}
		return StringValue(r.String()), nil
	case reflect.Pointer:
		return Value{}, &BindError{"", "more than " + strconv.Itoa(maxPointers) + " pointers in a row; a cycle?"}
	case reflect.Slice, reflect.Array:
		if isByte(r.Type().Elem()) {
			return bytesToValue(r), nil
		}
	case reflect.Map:
		if r.Type().Key().Kind() != reflect.String {
			return Value{}, noSuchType(r.Type())
		}
	case reflect.Struct:
		if r.Type() == reflect.TypeFor[Value]() { // compared before calling Interface, which copies every struct
			return r.Interface().(Value), nil
		}
		if isUnit(r.Type()) {
			return Value{}, nil
		}
	default:
		return Value{}, noSuchType(r.Type())
	}
	if depth == 0 {
		why := "structs, lists and maps are nested more than " + strconv.Itoa(maxNesting) + " deep; a cycle of pointers?"
		return Value{}, &BindError{"", why}
	}
	switch r.Kind() {
	case reflect.Map:
		return mapToValue(r, depth-1)
	case reflect.Struct:
		return structToValue(r, depth-1)
	}
	return listToValue(r, depth-1)
}

// bytesToValue converts a slice or an array of bytes. An element of a map is not addressable, so an array is read byte
// by byte.
func bytesToValue(r reflect.Value) Value {
	if r.Kind() == reflect.Slice {
		return BytesValue(r.Bytes())
	}
	b := make([]byte, r.Len())
	for i := range b {
		b[i] = byte(r.Index(i).Uint())
	}
	return BytesValue(b)
}

func listToValue(r reflect.Value, depth int) (Value, error) {
	list := make([]Value, r.Len())
	for i := range list {
		v, err := toValue(r.Index(i), depth)
		if err != nil {
			return Value{}, prefixIndex(err, i)
		}
		list[i] = v
	}
	return ListValue(list...), nil
}

// mapToValue converts a map in the order of its keys, so that a value has only one encoding.
func mapToValue(r reflect.Value, depth int) (Value, error) {
	keys := r.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	fields := make([]Field, len(keys))
	for i, k := range keys {
		key := k.String()
		if !utf8.ValidString(key) || key != "" && key[0] == '$' {
			why := `the key is not valid UTF-8, or starts with "$", which is reserved`
			return Value{}, prefixKey(&BindError{"", why}, key)
		}
		v, err := toValue(r.MapIndex(k), depth)
		if err != nil {
			return Value{}, prefixKey(err, key)
		}
		fields[i] = Field{key, v}
	}
	return MapValue(fields...), nil
}

func structToValue(r reflect.Value, depth int) (Value, error) {
	l := layoutOf(r.Type())
	if l.wrong != "" {
		return Value{}, &BindError{"", l.wrong}
	}
	fields := make([]Field, 0, len(l.fields))
	for _, f := range l.fields {
		if f.omit && isEmpty(r.Field(f.index)) {
			continue
		}
		v, err := toValue(r.Field(f.index), depth)
		if err != nil {
			return Value{}, prefixPath(err, f.name)
		}
		fields = append(fields, Field{f.name, v})
	}
	return MapValue(fields...), nil
}

func isEmpty(r reflect.Value) bool {
	if k := r.Kind(); k == reflect.Slice || k == reflect.Map {
		return r.Len() == 0
	}
	return r.IsZero()
}
