// Package anyvalue generates values of any type for property tests. It is apart from testenv because package rapid
// registers flags, which a benchmark would have too.
package anyvalue

import (
	"encoding/json"
	"reflect"
	"time"

	"pgregory.net/rapid"
)

// Fill fills the value at p, mostly with what is not zero. A json.RawMessage becomes one of raw.
func Fill[T any](t *rapid.T, p *T, raw ...string) { fill(t, reflect.ValueOf(p).Elem(), "value", raw) }

func fill(t *rapid.T, v reflect.Value, name string, raw []string) {
	switch v.Type() {
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(rapid.SampledFrom(raw).Draw(t, name)))
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, name), 5).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name, raw)
		}
	case reflect.Pointer:
		if rapid.IntRange(0, 9).Draw(t, name) > 1 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name, raw)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), name, raw)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 2).Draw(t, name) {
			one := reflect.New(v.Type().Elem()).Elem()
			fill(t, one, name, raw)
			v.SetMapIndex(reflect.ValueOf(rapid.StringMatching(`[a-z./\n"]{0,4}`).Draw(t, name)), one)
		}
	case reflect.String:
		v.SetString(rapid.StringMatching(`[a-zäK"\\\n\t/<&]{0,6}`).Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	default:
		v.SetUint(rapid.Uint64().Draw(t, name) >> (64 - v.Type().Bits()))
	}
}
