package syncproto

import "sync"

// Results derived from a profile are cached for the next conversation, because a profile must not be changed once a
// conversation uses it. Use begins with the first call of a function in this file. Validate and Hash may also be called
// while a profile is being built, so they do not use the cache. The cache holds the last few profiles, keyed by
// address: a program has one profile for each kind of conversation. A program that keeps making new ones gains nothing
// and loses nothing. The cache is not part of Profile so that a Profile can be copied.

// memo is what is cached for one profile, or for one edit of it.
type memo struct {
	profile *Profile
	hash    string // as in HELLO; empty until it is needed
	valid   bool   // it is valid

	edit   edit     // the edit; zero for the profile itself
	result *Profile // the edited profile
}

// edit identifies a call of Require or Forbid; the zero edit is no edit.
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
	next int // the entry to be replaced next
}

// withMemo calls f, under the lock, with the cache entry of a profile or of an edit of it. f may read the entry and
// fill it in.
func withMemo(p *Profile, e edit, f func(m *memo)) {
	memos.Lock()
	defer memos.Unlock()
	for i := range memos.list {
		if m := &memos.list[i]; m.profile == p && m.edit == e {
			f(m)
			return
		}
	}
	m := &memos.list[memos.next]
	memos.next = (memos.next + 1) % len(memos.list)
	*m = memo{profile: p, edit: e}
	f(m)
}

// valid is Validate, cached, for a profile that a conversation uses.
func (p *Profile) valid() (err error) {
	withMemo(p, edit{}, func(m *memo) {
		if !m.valid {
			err = p.Validate()
			m.valid = err == nil
		}
	})
	return err
}

// fingerprint is Hash in 16 hexadecimal digits, cached, for a profile that a conversation uses.
func (p *Profile) fingerprint() (hash string) {
	withMemo(p, edit{}, func(m *memo) {
		if m.hash == "" {
			m.hash = hex16(p.Hash())
		}
		hash = m.hash
	})
	return hash
}

// cachedEdit returns what mapRows makes of the profile with f, which implements e; the result is cached.
func (p *Profile) cachedEdit(e edit, f func(Row) (Row, bool)) (q *Profile) {
	withMemo(p, e, func(m *memo) {
		if m.result == nil {
			m.result = p.mapRows(f)
		}
		q = m.result
	})
	return q
}
