package syncproto

import (
	"reflect"
	"slices"
	"strconv"
)

func fromValue(v Value, r reflect.Value, lenient bool) error {
	for range maxPointers {
		if r.Kind() != reflect.Pointer {
			break
		}
		if v.kind == Null {
			r.SetZero()
			return nil
		}
		r.Set(reflect.New(r.Type().Elem()))
		r = r.Elem()
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
	case reflect.Slice, reflect.Array:
		if isByte(r.Type().Elem()) {
			return fromBytes(v, r)
		}
		return fromList(v, r, lenient)
	case reflect.Map:
		return toMap(v, r, lenient)
	case reflect.Struct:
		if r.Type() == reflect.TypeFor[Value]() {
			r.Set(reflect.ValueOf(v))
			return nil
		}
		return fromMap(v, r, lenient)
	default:
		return noSuchType(r.Type())
	}
	return nil
}

// fromBytes fills a slice or an array of bytes.
func fromBytes(v Value, r reflect.Value) error {
	if r.Kind() == reflect.Slice {
		if v.kind != Bytes {
			return mismatch("bytes", v)
		}
		r.SetBytes([]byte(v.text()))
		return nil
	}
	if v.kind != Bytes || len(v.text()) != r.Len() {
		return mismatch(strconv.Itoa(r.Len())+" bytes", v)
	}
	for i, c := range []byte(v.text()) {
		r.Index(i).SetUint(uint64(c))
	}
	return nil
}

func fromList(v Value, r reflect.Value, lenient bool) error {
	list := v.List()
	switch {
	case r.Kind() == reflect.Array:
		if v.kind != List || len(list) != r.Len() {
			return mismatch("list of "+strconv.Itoa(r.Len()), v)
		}
	case v.kind != List:
		return mismatch("list", v)
	default:
		r.Set(reflect.MakeSlice(r.Type(), len(list), len(list)))
	}
	for i, e := range list {
		if err := fromValue(e, r.Index(i), lenient); err != nil {
			return prefixIndex(err, i)
		}
	}
	return nil
}

// toMap fills a Go map.
func toMap(v Value, r reflect.Value, lenient bool) error {
	t := r.Type()
	if t.Key().Kind() != reflect.String {
		return noSuchType(t)
	}
	if v.kind != Map {
		return mismatch("map", v)
	}
	m := reflect.MakeMapWithSize(t, len(v.Fields()))
	for _, f := range v.Fields() {
		e := reflect.New(t.Elem()).Elem()
		if err := fromValue(f.Value, e, lenient); err != nil {
			return prefixKey(err, f.Name)
		}
		m.SetMapIndex(reflect.ValueOf(f.Name).Convert(t.Key()), e)
	}
	r.Set(m)
	return nil
}

// fromMap fills a struct. It reports an invalid field first, then unknown fields, which may be misspelt, then missing
// ones.
func fromMap(v Value, r reflect.Value, lenient bool) error {
	if isUnit(r.Type()) {
		if v.kind != Null {
			return mismatch("null", v)
		}
		return nil
	}
	l := layoutOf(r.Type())
	if l.wrong != "" {
		return &BindError{"", l.wrong}
	}
	if v.kind != Map {
		return mismatch("map", v)
	}
	known, missing := 0, ""
	for _, f := range l.fields {
		e, ok := v.Get(f.name)
		if !ok {
			if !f.omit && missing == "" {
				missing = f.name
			}
			continue
		}
		known++
		if err := fromValue(e, r.Field(f.index), lenient); err != nil {
			return prefixPath(err, f.name)
		}
	}
	if known != len(v.Fields()) && !lenient {
		for _, f := range v.Fields() {
			if !slices.ContainsFunc(l.fields, func(b bound) bool { return b.name == f.Name }) {
				return &BindError{foreignName(f.Name), "unknown field"}
			}
		}
	}
	if missing != "" {
		return &BindError{missing, "missing"}
	}
	return nil
}
