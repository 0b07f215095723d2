package transcript

import (
	"fmt"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
)

// Replay plays the transcript through a Machine of its role, by the profile that it ran, as a test: what was sent must be allowed to be sent, with the same header, and what was
// received to be received. It returns the machine's verdict and the first divergence. A transcript that ends before its conversation did is no divergence.
func (t *Transcript) Replay(p *syncproto.Profile) (syncproto.Verdict, error) {
	m, err := syncproto.NewMachine(t.Role, p, syncproto.Limits{Config: syncproto.MaxConfig, Frames: 1<<16 - 1, Notes: 1<<16 - 1})
	if err != nil {
		return syncproto.Verdict{}, err
	}
	for i, e := range t.Events {
		if err := t.play(m, e); err != nil {
			return m.Verdict(), fmt.Errorf("event %d, %s %s: %w", i+1, e.Header.Kind, e.Name, err)
		}
	}
	return m.Verdict(), nil
}

func (t *Transcript) play(m *syncproto.Machine, e Event) error {
	h := e.Header
	switch {
	case e.End == syncproto.Success:
		if v := m.EndOfFile(); v.Outcome != syncproto.Success {
			return fmt.Errorf("the end was success, and is %s in %s", v.Outcome, v.State)
		}
		return nil
	case e.End != syncproto.Undecided:
		m.Fail(e.End)
		return nil
	case h.Kind == syncproto.KindHello:
		m.Offer(offered(e.Body))
	}
	if !e.Sent {
		if err := m.Admit(h); err != nil {
			return err
		}
		return m.Receive(h, e.Name)
	}
	got, err := m.Send(syncproto.Frame{Kind: h.Kind, Name: e.Name, More: h.More(), FDs: int(h.NFDs), Size: int(h.Length), Fail: h.Kind == syncproto.KindError && h.Re != 0})
	if err == nil && got != h {
		err = fmt.Errorf("it was sent as %+v, and would be as %+v", h, got)
	}
	return err
}

// offered is how many codecs a HELLO offers; one where its body was not kept.
func offered(body string) int {
	v, err := codec.JSON().Decode([]byte(body), syncproto.Limits{})
	if err != nil {
		return 1
	}
	list, _ := v.Get("codecs")
	return max(len(list.List()), 1)
}
