package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// decodeError returns which part of a profile has the wrong type. encoding/json names the property but not the index in
// lists, so each part is decoded again by itself.
func decodeError(raw []byte, err error) error {
	var wrongType *json.UnmarshalTypeError
	if !errors.As(err, &wrongType) {
		return newError("", "broken JSON: %v", err)
	}
	path, part := locate(raw, reflect.TypeFor[document](), "")
	got := wrongType.Value
	if (got == "string" || got == "bool" || got == "number") && len(part) <= literalLimit {
		got += " " + string(part)
	}
	return newError(path, "want %s, got %s", expectedType(wrongType.Type), got)
}

// literalLimit is the length up to which a message shows a wrong value.
const literalLimit = 60

// locate returns the path of the first part of raw that does not fit the type, and that part.
func locate(raw []byte, t reflect.Type, path string) (at string, part []byte) {
	fits := func(raw []byte, t reflect.Type) bool { return json.Unmarshal(raw, reflect.New(t).Interface()) == nil }
	switch t.Kind() {
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return path, raw
		}
		for i := range t.NumField() {
			name := t.Field(i).Tag.Get("json")
			if member, ok := members[name]; ok && !fits(member, t.Field(i).Type) {
				return locate(member, t.Field(i).Type, path+"."+name)
			}
		}
	case reflect.Slice:
		var elements []json.RawMessage
		if json.Unmarshal(raw, &elements) != nil {
			return path, raw
		}
		for i, element := range elements {
			if !fits(element, t.Elem()) {
				return locate(element, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	return path, raw
}

// expectedType describes to a user the values that a Go type takes.
func expectedType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Uint64:
		return "a whole number from 0 to 18446744073709551615"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}
