package lifecycle

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handfast/handfast/cgroupfs"
	"github.com/handfast/handfast/internal/golden"
)

// TestStatsJSON compares the output for a group with every number, and for a group with none, with the golden
// files.
func TestStatsJSON(t *testing.T) {
	golden.Only(t, "testdata/events/*")
	full := cgroupfs.Stats{}
	n := uint64(0)
	number(reflect.ValueOf(&full).Elem(), &n)
	swap := full
	swap.Memory.SwapAlone = false
	interfaces := []cgroupfs.NetworkInterface{{Name: "lo", RxBytes: 1}, {Name: "eth0", RxBytes: 1, RxPackets: 2,
		RxErrors: 3, RxDropped: 4, TxBytes: 5, TxPackets: 6, TxErrors: 7, TxDropped: 8}}
	for name, line := range map[string]func() (string, error){
		"stats-v2":    func() (string, error) { return eventLine("stats", "c1", statsData(&full, interfaces)) },
		"stats-v1":    func() (string, error) { return eventLine("stats", "c1", statsData(&swap, interfaces)) },
		"stats-empty": func() (string, error) { return eventLine("stats", "c1", statsData(&cgroupfs.Stats{}, nil)) },
		"oom": func() (string, error) {
			return groupEvent("c1", cgroupfs.Event{Kind: cgroupfs.OutOfMemory,
				Kills: 3})
		},
		"pressure": func() (string, error) {
			return groupEvent("c1", cgroupfs.Event{Kind: cgroupfs.PressureHigh,
				Trigger: cgroupfs.Trigger{Resource: "io", Full: true, Stall: time.Millisecond, Window: 2 * time.Second}})
		},
	} {
		got, err := line()
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", "events", name+".json"), got)
		if !json.Valid([]byte(got)) {
			t.Errorf("%s: not JSON: %s", name, got)
		}
	}
}

// number sets every exported field below v to a value of its own, and every list to one entry.
func number(v reflect.Value, n *uint64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				number(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		number(v.Index(0), n)
	case reflect.Uint16, reflect.Uint64:
		v.SetUint(*n)
	case reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 4)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("name")
	}
}

func TestParseTriggers(t *testing.T) {
	got, err := ParseTriggers("memory=150ms/2s,io:full=100ms/10s")
	want := []cgroupfs.Trigger{{Resource: "memory", Stall: 150 * time.Millisecond, Window: 2 * time.Second},
		{Resource: "io", Full: true, Stall: 100 * time.Millisecond, Window: 10 * time.Second}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if got, err := ParseTriggers(""); err != nil || got != nil {
		t.Errorf("none: %v %v", got, err)
	}
	for _, bad := range []string{"memory", "memory=", "memory=1ms", "memory=1ms/", "memory=x/2s", "memory=1ms/2s,", ",",
		"memory 1ms/2s"} {
		if got, err := ParseTriggers(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// FuzzParseTriggers checks that an accepted text means the same after it is formatted again.
func FuzzParseTriggers(f *testing.F) {
	f.Add("memory=150ms/2s,io:full=100ms/10s")
	f.Add(",")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseTriggers(text)
		if err != nil || len(all) == 0 {
			return
		}
		var b strings.Builder
		for i, one := range all {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(one.Resource)
			if one.Full {
				b.WriteString(":full")
			}
			b.WriteString("=" + one.Stall.String() + "/" + one.Window.String())
		}
		if again, err := ParseTriggers(b.String()); err != nil || cmp.Diff(all, again) != "" {
			t.Errorf("%q: %v; as %q: %v, %v", text, all, b.String(), again, err)
		}
	})
}
