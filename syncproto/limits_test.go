package syncproto_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/handfast/handfast/syncproto"
)

func anyLimits(t *rapid.T, label string) syncproto.Limits {
	u := rapid.OneOf(rapid.Just(uint32(0)), rapid.Uint32(), rapid.Uint32Range(512, 5<<20))
	return syncproto.Limits{
		Control: u.Draw(t, label+"control"), Error: u.Draw(t, label+"error"), Fragment: u.Draw(t, label+"fragment"),
		Message: u.Draw(t, label+"message"),
		Config:  u.Draw(t, label+"config"), Notes: rapid.Uint16().Draw(t, label+"notes"),
		Frames: rapid.Uint16().Draw(t, label+"frames"), Depth: rapid.Uint8().Draw(t, label+"depth"),
	}
}

func TestLimitsMeetIsALowerBoundOfBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyLimits(t, "a."), anyLimits(t, "b.")
		m := a.Meet(b)
		if m != b.Meet(a) || m != m.Meet(a) || m != m.Meet(b) || m != m.WithDefaults() {
			t.Fatalf("%+v and %+v meet in %+v", a, b, m)
		}
		for _, k := range []syncproto.Kind{syncproto.KindHello, syncproto.KindConfig, syncproto.KindRequest,
			syncproto.KindError} {
			if p := m.Payload(k); p > a.WithDefaults().Payload(k) || p > b.WithDefaults().Payload(k) || p > syncproto.MaxFrame {
				t.Fatalf("%v may carry %d", k, p)
			}
		}
		if m.Config > syncproto.MaxConfig {
			t.Fatalf("configurations of %d", m.Config)
		}
	})
}

func TestLimitsCheckAtTheEdge(t *testing.T) {
	l := syncproto.DefaultLimits()
	for k := syncproto.KindHello; k <= syncproto.KindCancel; k++ {
		if err := l.Check(syncproto.Header{Kind: k, Length: l.Payload(k)}); err != nil {
			t.Errorf("%v at its limit: %v", k, err)
		}
		for _, n := range []uint32{l.Payload(k) + 1, math.MaxUint32} {
			if err := l.Check(syncproto.Header{Kind: k, Length: n}); !errors.Is(err,
				&syncproto.ProtocolError{Code: syncproto.CodeLimit}) {
				t.Errorf("%v of %d bytes: %v", k, n, err)
			}
		}
	}
}

func TestLimitsTooLowAreRefused(t *testing.T) {
	for _, l := range []syncproto.Limits{
		{Control: 1023}, {Error: 1}, {Fragment: 1023}, {Message: 1}, {Config: 1023}, {Frames: 15}, {Depth: 3},
	} {
		if err := l.Validate(); !errors.Is(err, &syncproto.ProtocolError{Code: syncproto.CodeLimit}) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if err := (syncproto.Limits{}).Validate(); err != nil {
		t.Error(err)
	}
}
