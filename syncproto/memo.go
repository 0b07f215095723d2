package syncproto

import "sync"

// What was worked out of a profile is kept for the next conversation: a profile is not changed once a conversation uses
// it. That is the time at which it is first asked for here, so Validate and Hash, which are for profiles in the making
// too, work it out anew.
//
// What is kept is of the last few profiles alone, by their address: a program has as many as kinds of conversations,
// and what makes new ones all the time gains nothing and costs nothing. It is kept beside the profiles and not in them,
// so that a Profile can be copied.

// memo is what is known of one profile.
type memo struct {
	of   *Profile
	hash string // as HELLO has it; empty where it was not asked for
	good bool   // it is valid

	edit edit     // or: an edit of it
	made *Profile // and what came of that
}

// edit is what Require or Forbid does to a request; the zero edit does nothing.
type edit struct {
	how     byte // requires or forbids
	request string
}

const (
	requires byte = 1 + iota
	forbids
)

var memos struct {
	sync.Mutex
	list [32]memo
	next int // the one to give way
}

// recall calls f with the memo of a profile, or of its edit, which is f's to read and complete.
func recall(p *Profile, e edit, f func(m *memo)) {
	memos.Lock()
	defer memos.Unlock()
	for i := range memos.list {
		if m := &memos.list[i]; m.of == p && m.edit == e {
			f(m)
			return
		}
	}
	m := &memos.list[memos.next]
	memos.next = (memos.next + 1) % len(memos.list)
	*m = memo{of: p, edit: e}
	f(m)
}

// valid is Validate for a profile that a conversation uses.
func (p *Profile) valid() (err error) {
	recall(p, edit{}, func(m *memo) {
		if !m.good {
			err = p.Validate()
			m.good = err == nil
		}
	})
	return err
}

// fingerprint is Hash in 16 hexadecimal digits, for a profile that a conversation uses.
func (p *Profile) fingerprint() (hash string) {
	recall(p, edit{}, func(m *memo) {
		if m.hash == "" {
			m.hash = hex16(p.Hash())
		}
		hash = m.hash
	})
	return hash
}

// edited is what f, which does e, makes of the rows of p.
func (p *Profile) edited(e edit, f func(Row) (Row, bool)) (q *Profile) {
	recall(p, e, func(m *memo) {
		if m.made == nil {
			m.made = p.edit(f)
		}
		q = m.made
	})
	return q
}
