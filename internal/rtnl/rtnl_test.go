package rtnl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/handfast/handfast/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, testenv.Options{}) }

// TestMessagesTravelWhole: decoding returns what was encoded, with any messages before and after it.
func TestMessagesTravelWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bodies := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 50), 0, 5).Draw(t, "bodies")
		var sent []byte
		for i, body := range bodies {
			m := message{kind: uint16(16 + i), flags: 5, seq: uint32(i), body: body}
			sent = append(sent, m.encode()...)
		}
		got, err := decode(sent)
		if err != nil || len(got) != len(bodies) {
			t.Fatalf("%d of %d, %v", len(got), len(bodies), err)
		}
		for i, m := range got {
			if m.kind != uint16(16+i) || m.flags != 5 || m.seq != uint32(i) || !bytes.Equal(m.body, bodies[i]) {
				t.Fatalf("%+v, want %x", m, bodies[i])
			}
		}
		var attrs []byte
		for i, body := range bodies {
			attrs = appendAttribute(attrs, uint16(i), body)
		}
		all, err := attributes(attrs)
		if err != nil || len(all) != len(bodies) {
			t.Fatalf("%d of %d, %v", len(all), len(bodies), err)
		}
		for i, a := range all {
			if a.kind != uint16(i) || !bytes.Equal(a.value, bodies[i]) {
				t.Fatalf("%+v, want %x", a, bodies[i])
			}
		}
	})
}

// TestAddressForAnotherDevice: a label follows the device's name, and attributes that only the kernel sets are not
// requested.
func TestAddressForAnotherDevice(t *testing.T) {
	const kept = unix.IFA_F_PERMANENT | unix.IFA_F_NOPREFIXROUTE
	a := Address{
		Index: 3, family: unix.AF_INET, prefix: 24, flags: kept | unix.IFA_F_SECONDARY,
		attributes: []attribute{
			{unix.IFA_LOCAL, []byte{192, 0, 2, 7}}, {unix.IFA_CACHEINFO, make([]byte, 16)},
			{unix.IFA_LABEL, []byte("eth0:web\x00")},
		},
	}
	for name, label := range map[string]string{"net1": "net1:web", "a-long-name-abc": "a-long-name-abc"} {
		got, err := decodeAddress(a.body(9, "eth0", name))
		if err != nil || got.Index != 9 || got.prefix != 24 || got.flags != kept || !got.Lasting() {
			t.Errorf("%+v, %v", got, err)
		}
		if l := text(find(got.attributes, unix.IFA_LABEL)); l != label || find(got.attributes, unix.IFA_CACHEINFO) != nil {
			t.Errorf("%+v, want the label %s", got, label)
		}
	}
	for _, no := range []Address{{flags: unix.IFA_F_PERMANENT, scope: unix.RT_SCOPE_LINK}, {flags: 0}} {
		if no.Lasting() {
			t.Errorf("%+v", no)
		}
	}
}

// TestErrorsOfTheKernel: an errno with and without a text, and a message that is too short.
func TestErrorsOfTheKernel(t *testing.T) {
	errno := binary.NativeEndian.AppendUint32(nil, uint32(0xffffffff-uint32(unix.EPERM)+1))
	request := (&message{kind: 16}).encode()
	words := appendAttribute(nil, unix.NLMSGERR_ATTR_MSG, []byte("not yours\x00"))
	for _, c := range []struct {
		m    message
		want string
	}{
		{message{body: make([]byte, 20)}, ""},
		{message{body: append(slices.Clone(errno), request...)}, "operation not permitted"},
		{message{flags: unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED, body: slices.Concat(errno, request, words)},
			"operation not permitted (not yours)"},
		{message{flags: unix.NLM_F_ACK_TLVS, body: slices.Concat(errno, request, words)},
			"operation not permitted (not yours)"},
		{message{flags: unix.NLM_F_ACK_TLVS, body: slices.Concat(errno, request[:4], request)}, "operation not permitted"},
		{message{body: errno[:3]}, errCut.Error()},
	} {
		got := ""
		if err := decodeError(&c.m); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%x: %q, want %q", c.m.body, got, c.want)
		}
	}
}

// TestLoopback uses the kernel, in a network namespace of the test.
func TestLoopback(t *testing.T) {
	testenv.Root(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(os.NewSyscallError("unshare", err))
			return
		}
		c, err := Open()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		lo, err := c.Link("lo")
		if err != nil || lo != (Link{Index: 1, Name: "lo"}) {
			t.Errorf("%+v, %v", lo, err)
		}
		if err := c.SetUp(lo.Index, true); err != nil {
			t.Error(err)
		}
		all, err := c.Addresses(lo.Index)
		if err != nil || len(all) == 0 || slices.ContainsFunc(all, func(a Address) bool { return a.Lasting() }) {
			t.Errorf("%+v, %v: want addresses of the host alone", all, err)
		}
		given := Address{family: unix.AF_INET, prefix: 32, attributes: []attribute{{unix.IFA_LOCAL, []byte{192, 0, 2, 7}}}}
		for range 2 { // the second one changes nothing
			if err := c.AddAddress(&given, lo, "lo"); err != nil {
				t.Error(err)
			}
		}
		lasting := func(a Address) bool { return a.Lasting() }
		if all, err = c.Addresses(lo.Index); err != nil || !slices.ContainsFunc(all, lasting) {
			t.Errorf("%+v, %v: want one that lasts", all, err)
		}
		links, err := c.Links()
		if err != nil || !slices.Contains(links, Link{Index: 1, Name: "lo", Up: true}) {
			t.Errorf("%+v, %v", links, err)
		}
		if _, err := c.Link("nothing"); !errors.Is(err, unix.ENODEV) {
			t.Error(err)
		}
		if err := c.Move(99, 0, "x"); err == nil {
			t.Error("a device that is not there was moved")
		}
	}()
	<-done
}

// FuzzDecode: for any input the decoders return a value or an error, and never more bytes than the input has.
func FuzzDecode(f *testing.F) {
	link := message{kind: unix.RTM_NEWLINK, body: appendAttribute(linkBody(1, 1, 1), unix.IFLA_IFNAME, []byte("lo\x00"))}
	f.Add(link.encode())
	a := Address{Index: 1, attributes: []attribute{{unix.IFA_LABEL, []byte("lo\x00")}}}
	f.Add((&message{kind: unix.RTM_NEWADDR, body: a.body(1, "lo", "x")}).encode())
	refused := message{kind: unix.NLMSG_ERROR, flags: unix.NLM_F_ACK_TLVS, body: append(make([]byte, 4), link.encode()...)}
	f.Add(refused.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decode(b)
		if err != nil {
			return
		}
		for i := range all {
			if _, err := decodeLink(all[i].body); err == nil && len(all[i].body) < unix.SizeofIfInfomsg {
				t.Fatalf("a link of %x", all[i].body)
			}
			if a, err := decodeAddress(all[i].body); err == nil {
				if _, err := decodeAddress(a.body(1, "x", "y")); err != nil {
					t.Fatalf("%+v does not come back: %v", a, err)
				}
			}
			_ = decodeError(&all[i])
		}
	})
}
