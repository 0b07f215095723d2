package model

import "github.com/handfast/handfast/syncproto"

// verdicts is what must hold where a conversation has ended; empty is that it does.
func (k *rules) verdicts(w *world) string {
	p, c := w.last(parent), w.last(child)
	lived := w.fate[parent] == ended // and so it has a verdict
	switch {
	case lived && p.Outcome == syncproto.Undecided, w.fate[child] == ended && c.Outcome == syncproto.Undecided:
		return "a side ended without a verdict"
	case p.Outcome == syncproto.Success && (c.State != syncproto.Committed || w.fate[child] == ended):
		return "success without EXEC and its end of file"
	case p.Outcome == syncproto.Success && w.told[child]:
		return "success over a failure of the child"
	case c.Outcome == syncproto.Success:
		return "the child cannot know of success"
	case p.Outcome == syncproto.Violated || c.Outcome == syncproto.Violated:
		return "two honest peers broke the protocol"
	case w.told[child] && lived && p.Outcome != syncproto.PeerError && !w.decided():
		return "the child's ERROR is lost"
	case w.told[parent] && w.eof[child] && c.Outcome < syncproto.LocalError:
		return "the parent's ERROR is lost"
	case w.cause[child] && w.fate[child] == ended && !w.told[child] && w.fate[parent] == ended && !w.gone():
		return "a failure of the child is never told"
	case w.cause[parent] && lived && p.Outcome < syncproto.LocalError && !w.decided():
		return "a failure of the parent is no verdict"
	case !w.hurt && (p.Outcome != syncproto.Success || w.fate[child] != executed):
		return "a conversation that nothing disturbed is no success"
	case p.Outcome == syncproto.PeerError && !w.told[child], c.Outcome == syncproto.PeerError && !w.told[parent]:
		return "an ERROR that nobody sent"
	case w.flying != w.held():
		return "a descriptor is neither delivered nor closed"
	}
	return ""
}

// missing is a request of a phase that was not answered as often as the table asks for, but for the row except.
func (k *rules) missing(w *world, phase string, except int) string {
	for i, row := range k.rows {
		if row.phase == phase && i != except && uint16(w.answered[i]) < row.Min {
			return row.Request + " is required and was not answered"
		}
	}
	return ""
}

// arrives is what must hold where a frame of the profile reaches r. It keeps its own count, so that a machine that lets too much pass is found out.
func (k *rules) arrives(w *world, r syncproto.Role, in message) string {
	m := &w.m[r]
	if in.h.Kind == syncproto.KindExec {
		return k.missing(w, m.Phase(), -1)
	}
	for i, row := range k.rows {
		if row.phase != m.Phase() {
			continue
		}
		switch {
		case in.h.Kind == syncproto.KindRequest && row.Request == in.name:
			return k.request(w, r, in, i)
		case in.h.Kind == syncproto.KindReply && row.Request == m.Pending():
			return k.reply(w, in, i)
		}
	}
	return label(in.h.Kind, in.name) + " arrives, for which there is no row"
}

func (k *rules) request(w *world, r syncproto.Role, in message, i int) string {
	if w.asks {
		return in.name + " is asked while another request is unanswered"
	}
	w.asks = true
	if w.asked[i]++; uint16(w.asked[i]) > k.rows[i].Max {
		return in.name + " is asked too often"
	}
	meant, taken := meaning(k.profile[r.Peer()], w.last(r.Peer()).Phase, in.name), meaning(k.profile[r], w.m[r].Phase(), in.name)
	if meant != taken {
		return "a request that means " + meant + " is taken for " + taken
	}
	return ""
}

func (k *rules) reply(w *world, in message, i int) string {
	row := &k.rows[i]
	switch {
	case !w.asks || row.Reply != in.name:
		return in.name + " is no answer to " + row.Request
	case row.Request == k.commit && !w.committed:
		return "the child may run before the parent has committed"
	}
	w.asks = false
	w.answered[i]++
	if row.Next == "" {
		return ""
	}
	why := k.missing(w, row.phase, i)
	for j := range k.rows {
		if k.rows[j].phase == row.Next {
			w.asked[j], w.answered[j] = 0, 0
		}
	}
	return why
}

// meaning is what a row says of itself.
func meaning(p *syncproto.Profile, phase, request string) string {
	for _, ph := range p.Phases {
		for _, row := range ph.Rows {
			if ph.Name == phase && row.Request == request {
				return row.Doc
			}
		}
	}
	return "nothing"
}

// decided reports that the parent ended the conversation of its own accord: what a child says when it was told to stop does not change that.
func (w *world) decided() bool {
	o := w.last(parent).Outcome
	return o == syncproto.Cancelled || o == syncproto.TimedOut || o == syncproto.LocalError
}

// gone reports that the parent was through with the conversation, so that a child's failure has nobody to be told to.
func (w *world) gone() bool {
	o := w.last(parent).Outcome
	return w.decided() || o == syncproto.PeerError || w.shut[child] || o == syncproto.Died && w.shut[parent]
}

// held are the descriptors that wait for a child that will never read again and whose socket is open all the same: they go when it is killed.
func (w *world) held() (n int8) {
	for i := range w.queued[child] {
		n += int8(w.queue[child][i].h.NFDs)
	}
	return n
}
