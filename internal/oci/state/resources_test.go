package state

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/cgroupfs"
)

// fill gives every field below v a value, so that a field that is added later cannot be lost.
func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n+i)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("a\"\\\n\u2028<\x7f" + strings.Repeat("x", n))
	case reflect.Int64:
		v.SetInt(math.MinInt64 + int64(n))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(n))
	default:
		v.SetUint(uint64(n))
	}
}

// TestResourcesComeBack encodes and decodes every field, alone and with all others. The values must not change,
// and the text must be that of encoding/json.
func TestResourcesComeBack(t *testing.T) {
	whole := cgroupfs.Resources{}
	fill(reflect.ValueOf(&whole).Elem(), 0)
	all := []cgroupfs.Resources{whole}
	for i := range reflect.TypeFor[cgroupfs.Resources]().NumField() {
		var one cgroupfs.Resources
		reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(&whole).Elem().Field(i))
		all = append(all, one)
	}
	for _, r := range all {
		raw := EncodeResources(&r)
		back, err := DecodeResources(raw)
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if diff := cmp.Diff(&r, back); diff != "" {
			t.Errorf("%s\n%s", raw, diff)
		}
		var ours, theirs any
		text, err := json.Marshal(r)
		if err != nil || json.Unmarshal(raw, &ours) != nil || json.Unmarshal(text, &theirs) != nil ||
			!cmp.Equal(ours, theirs) {
			t.Errorf("%s\nis not %s", raw, text)
		}
	}
}

func TestNoResources(t *testing.T) {
	if raw := EncodeResources(&cgroupfs.Resources{}); raw != nil || EncodeResources(nil) != nil {
		t.Errorf("%s", raw)
	}
	if r, err := DecodeResources(nil); err != nil || !r.Empty() {
		t.Errorf("%v %v", r, err)
	}
	if _, err := DecodeResources(json.RawMessage(`{"memory": "x"}`)); err == nil ||
		!strings.Contains(err.Error(), "state.json is damaged: resources: ") {
		t.Errorf("%v", err)
	}
}
