package criu

import (
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// vector returns the bytes of a message as go-criu 6.3.0 with google.golang.org/protobuf 1.36.6 encodes it.
func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/go-criu.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if digits, found := strings.CutPrefix(line, name+" "); found {
			data, err := hex.DecodeString(strings.TrimSpace(digits))
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no vector %s", name)
	return nil
}

// TestRequestVector compares the encoding of every field with that of CRIU's own library.
func TestRequestVector(t *testing.T) {
	zero, mode := int32(0), CgroupIgnore
	r := &Request{
		Type: Dump, NotifySuccess: true, KeepOpen: true, Features: &Features{MemTrack: true, LazyPages: true},
		Options: &Options{
			ImagesDir: 0, PID: -2, LeaveRunning: true, ExtUnixSk: true, TCPEstablished: true, EvasiveDevices: true,
			ShellJob: true, FileLocks: true, LogLevel: 4, LogFile: "dump.log",
			PageServer: &PageServer{Address: "::1", Port: 27277}, NotifyScripts: true, Root: "/r", ParentImage: "../p",
			TrackMemory: true, AutoDedup: true, WorkDir: &zero, LinkRemap: true,
			ExternalMounts: []ExternalMount{{"/a", "/b"}, {"/c", ""}}, ManageCgroups: true,
			CgroupRoots: []CgroupRoot{{"", "/g"}}, RestoreSibling: true, InheritFDs: []InheritFD{{"pipe:[7]", 0}},
			CgroupMode: &mode, External: []string{"net[300]:extRootNetNS", "x"},
			EmptyNS: unix.CLONE_NEWNET, JoinNS: []JoinNS{{"ipc", "/n"}}, FreezeCgroup: "/f", TCPSkipInFly: true,
			LazyPages: true, OrphanPTS: true, ConfigFile: "/etc/x", TCPClose: true, LSMProfile: "apparmor:web",
			LSMMount: "l", NetworkLock: LockNFTables,
		},
	}
	v := reflect.ValueOf(*r.Options)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "ImagesDir" {
			t.Errorf("the vector does not have %s", name)
		}
	}
	want := vector(t, "request")
	if got := r.Encode(); string(got) != string(want) {
		t.Errorf("encoded\n%x, want\n%x", got, want)
	}
	got, err := DecodeRequest(want)
	if diff := cmp.Diff(r, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestResponseVector(t *testing.T) {
	want := &Response{
		Type: Notify, Success: true, Notification: &Notification{"post-restore", 300}, Errno: 2,
		Features: &Features{MemTrack: true}, Message: "oh", Version: &VersionNumber{3, 17, 1},
	}
	got, err := DecodeResponse(vector(t, "response"))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// TestRoundTrip: no field of a message is lost, whatever its value.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent Request
		fill(t, reflect.ValueOf(&sent).Elem(), "request")
		got, err := DecodeRequest(sent.Encode())
		if diff := cmp.Diff(&sent, got); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
		var reply Response
		fill(t, reflect.ValueOf(&reply).Elem(), "response")
		back, err := DecodeResponse(reply.Encode())
		if diff := cmp.Diff(&reply, back); diff != "" || err != nil {
			t.Fatalf("%v\n%s", err, diff)
		}
	})
}

// fill fills a value with random content.
func fill(t *rapid.T, v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, name) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name)
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, name); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			fill(t, v.Index(i), name)
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(t, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Int32:
		v.SetInt(int64(rapid.Int32().Draw(t, name)))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, name)))
	default:
		t.Fatalf("%s is of kind %v", name, v.Kind())
	}
}

// TestUnknownFields: what a later version adds is skipped, of whatever type it is.
func TestUnknownFields(t *testing.T) {
	data := []byte{
		0xa0, 0x06, 0x96, 0x01, // field 100, a varint
		0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, // of 64 bits
		0xa2, 0x06, 2, 'h', 'i',
		0xa5, 0x06, 1, 2, 3, 4, // of 32 bits
		0x08, 0x06, 0x10, 0x01, // type: notify, success
	}
	r, err := DecodeResponse(data)
	if diff := cmp.Diff(&Response{Type: Notify, Success: true}, r); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestMalformed(t *testing.T) {
	for name, data := range map[string][]byte{
		"key cut off":             {0x80},
		"key of eleven bytes":     {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"key of 65 bits":          {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
		"field 0":                 {0x00, 0x01},
		"field beyond the last":   {0x80, 0x80, 0x80, 0x80, 0x10, 0x01},
		"value missing":           {0x08},
		"value cut off":           {0x08, 0x80},
		"bytes cut off":           {0x4a, 0x05, 'o', 'h'},
		"length cut off":          {0x4a, 0x80},
		"length beyond an int":    {0x4a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"64 bits cut off":         {0xa1, 0x06, 1, 2, 3},
		"32 bits cut off":         {0xa5, 0x06, 1},
		"group":                   {0x0b, 0x0c},
		"wire type 7":             {0x0f},
		"number as bytes":         {0x0a, 0x01, 0x01},
		"text as a number":        {0x48, 0x01},
		"malformed message in it": {0x2a, 0x02, 0x0a, 0x05},
	} {
		if r, err := DecodeResponse(data); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// FuzzDecode: any packet decodes to a message or an error, and what decodes is the same after another round.
func FuzzDecode(f *testing.F) {
	f.Add(vector(f, "request"))
	f.Add(vector(f, "response"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeResponse(data)
		if err == nil {
			again, err := DecodeResponse(r.Encode())
			if diff := cmp.Diff(r, again); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		} else if !errors.Is(err, ErrMessage) {
			t.Errorf("an error of another kind: %v", err)
		}
		if q, err := DecodeRequest(data); err == nil {
			again, err := DecodeRequest(q.Encode())
			if diff := cmp.Diff(q, again); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			if q.Options != nil && q.Options.String() == "" {
				t.Error("options without a line")
			}
		}
	})
}

func TestLastErrors(t *testing.T) {
	const log = "(00.000001) Version: 3.17.1\n" +
		"(00.100000) Error (criu/mount.c:1): first\n(00.100001) more\n" +
		"(00.100002)     12: Error (criu/files.c:2): second \n" +
		"(00.100003) Error (criu/cr-dump.c:3): third\n(00.100004) Error (criu/cr-dump.c:2053): Dumping FAILED.\n"
	want := []string{"Error (criu/files.c:2): second", "Error (criu/cr-dump.c:3): third"}
	if diff := cmp.Diff(want, LastErrors(log, 2)); diff != "" {
		t.Error(diff)
	}
	if got := LastErrors(log, 9); len(got) != 3 {
		t.Errorf("of all: %q", got)
	}
	alone := "Error (criu/cr-dump.c:2053): Dumping FAILED."
	if got := LastErrors("(00.1) "+alone, 2); len(got) != 1 || got[0] != alone {
		t.Errorf("the only line: %q", got)
	}
	if got := LastErrors("(00.1) all is well\n", 2); len(got) != 0 {
		t.Errorf("without an error: %q", got)
	}
}
