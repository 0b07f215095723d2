package model

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/codec"
	"github.com/handfast/handfast/syncproto/session"
)

// rules hold what does not change during a walk.
type rules struct {
	settings  [2]session.Settings
	profile   [2]*syncproto.Profile // in force from the configuration on
	words     [2][]word
	rows      []phaseRow // of the parent's table, all phases
	commit    string
	configs   [2][]byte // the configuration that is sent, and a different one
	configFDs uint8
	room      uint8
	differ    bool // the tables of the two sides differ
}

// word is a REQUEST or REPLY that a role might send; its Session decides whether it may.
type word struct {
	kind syncproto.Kind
	name string
	fds  int
}

// phaseRow is a row and its phase.
type phaseRow struct {
	phase string
	syncproto.Row
}

// limits are as low as possible: a configuration takes two fragments.
var limits = syncproto.Limits{Notes: 1, Config: 2048, Fragment: 1024, Frames: 64}

func newRules(p *syncproto.Profile, o Options) (*rules, error) {
	r := &rules{commit: o.Commit, room: uint8(min(max(o.Room, 0), capacity))}
	r.configs[0] = bytes.Repeat([]byte("config "), 200)
	r.configs[1] = bytes.ToUpper(r.configs[0])
	if r.room == 0 {
		r.room = 2
	}
	whole := [2]*syncproto.Profile{p, p}
	if o.Child != nil {
		whole[child] = o.Child
	}
	for i, p := range whole {
		if err := p.Validate(); err != nil {
			return nil, err
		}
		whole[i] = atMostOnce(p)
		r.settings[i] = session.Settings{
			Profile: whole[i], Codecs: codecs(o.Codecs), Limits: limits, Session: "model", PID: 7,
		}
	}
	r.differ = whole[parent].Hash() != whole[child].Hash()
	r.profile = whole
	if o.Narrowed != nil {
		if err := o.Narrowed.Validate(); err != nil {
			return nil, err
		}
		q := atMostOnce(o.Narrowed)
		r.profile[parent] = q
		if o.Child == nil {
			r.profile[child] = q
		}
	}
	r.configFDs = r.profile[parent].ConfigFDs.Max
	for i, p := range r.profile {
		r.words[i] = vocabulary(syncproto.Role(i), p)
	}
	for _, ph := range r.profile[parent].Phases {
		for _, row := range ph.Rows {
			r.rows = append(r.rows, phaseRow{ph.Name, row})
		}
	}
	if len(r.rows) > maxRows {
		return nil, fmt.Errorf("model: profile %q has %d rows; a walk keeps count of %d", p.Name, len(r.rows), maxRows)
	}
	return r, nil
}

// codecs returns n codecs for HELLO to offer.
func codecs(n int) []codec.Codec {
	list := codec.BuiltIn()
	for i := len(list); i < n; i++ {
		list = append(list, namedCodec{codec.JSON(), "json" + strconv.Itoa(i)})
	}
	return list[:max(n, 1)]
}

// namedCodec is a codec with another name.
type namedCodec struct {
	codec.Codec
	name string
}

// Name returns that name.
func (a namedCodec) Name() string { return a.name }

// atMostOnce returns the profile with every unlimited request limited to once.
func atMostOnce(p *syncproto.Profile) *syncproto.Profile {
	q := *p
	q.Phases = append([]syncproto.Phase(nil), p.Phases...)
	for i := range q.Phases {
		q.Phases[i].Rows = append([]syncproto.Row(nil), q.Phases[i].Rows...)
		for j := range q.Phases[i].Rows {
			if r := &q.Phases[i].Rows[j]; r.Max == 0 {
				r.Max = max(1, r.Min)
			}
		}
	}
	return &q
}

// vocabulary returns every REQUEST and REPLY that a role might send, including those without a name.
func vocabulary(r syncproto.Role, p *syncproto.Profile) []word {
	list := []word{{kind: syncproto.KindRequest}, {kind: syncproto.KindReply}}
	for _, ph := range p.Phases {
		for _, row := range ph.Rows {
			if ph.Requester == r {
				list = append(list, word{syncproto.KindRequest, row.Request, int(row.RequestFDs.Max)})
			} else {
				list = append(list, word{syncproto.KindReply, row.Reply, int(row.ReplyFDs.Max)})
			}
		}
	}
	return list
}

// firstWorld returns the world before any frame was sent. The parent knows the configuration, and so the narrowed
// profile, from the start.
func (k *walk) firstWorld() (w world, err error) {
	for i := range w.s {
		s, err := session.New(syncproto.Role(i), &k.rules.settings[i])
		if err != nil {
			return w, err
		}
		w.s[i] = k.number(s)
	}
	if out := k.apply(w.s[parent], input{op: opNarrow}); out.err != "" {
		return w, fmt.Errorf("model: %s", out.err)
	} else {
		w.s[parent] = out.to
	}
	return w, nil
}
