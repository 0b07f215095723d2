package model

import (
	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/session"
)

// judge checks the laws for the end of a conversation. It returns the violated law, or the empty string.
func (k *walk) judge(w *world) string {
	p, c := k.verdictOf(w, parent), k.verdictOf(w, child)
	lived := w.fate[parent].own() // so it has a verdict
	said := w.is[child]&told != 0
	switch {
	case lived && p.Outcome == syncproto.Undecided, w.fate[child].own() && c.Outcome == syncproto.Undecided:
		return "a side ended without a verdict"
	case p.Outcome == syncproto.Success && (c.State != syncproto.Committed || w.fate[child].own()):
		return "success without EXEC and its end of file"
	case p.Outcome == syncproto.Success && said:
		return "success over a failure of the child"
	case c.Outcome == syncproto.Success:
		return "the child cannot know of success"
	case p.Outcome == syncproto.Violated && !w.lied || c.Outcome == syncproto.Violated:
		return "two honest peers broke the protocol"
	case said && lived && w.is[parent]&heard == 0 && w.is[parent]&deaf == 0 && !k.parentDecided(w):
		return "the child's ERROR is lost"
	case said && lived && p.Outcome != syncproto.PeerError && w.is[parent]&deaf == 0 && !k.parentDecided(w):
		return "the child's ERROR is no verdict"
	case w.is[parent]&told != 0 && w.fate[child].own() && w.is[child]&drained != 0 && c.Outcome < syncproto.LocalError:
		return "the parent's ERROR is lost"
	case w.is[child]&failing != 0 && w.is[child]&(told|mute) == 0 && w.fate[child] == ended &&
		w.fate[parent] == ended && !k.nobodyListens(w):
		return "a failure of the child is never reported"
	case w.is[parent]&failing != 0 && lived && p.Outcome < syncproto.LocalError:
		return "a failure of the parent is no verdict"
	case !w.hurt && (p.Outcome != syncproto.Success || w.fate[child] != executed):
		return "a conversation that nothing disturbed is no success"
	case p.Outcome == syncproto.PeerError && !said, c.Outcome == syncproto.PeerError && w.is[parent]&told == 0:
		return "an ERROR that nobody sent"
	case w.flying != k.held(w):
		return "a descriptor is neither delivered nor closed"
	}
	return ""
}

// checkChange checks the laws for every change of r's Session: a verdict is replaced only by one of higher rank, and an
// end is final.
func (k *walk) checkChange(w *world, r syncproto.Role, before uint32, o op) {
	was, is := &k.sides[before], &k.sides[w.s[r]]
	a, b := was.verdict.Outcome, is.verdict.Outcome
	// A write that failed because of the end becomes a death once end of file is read.
	died := o == opEndOfFile && a == syncproto.Broken && b == syncproto.Died
	switch {
	case w.wrong != 0:
	case was.over && before != w.s[r]:
		w.wrong = k.lawNumber("a conversation that is over goes on")
	case is.live && !was.live:
		w.wrong = k.lawNumber("a conversation that had ended goes on")
	case !is.live && b == syncproto.Undecided:
		w.wrong = k.lawNumber("a side ended without a verdict")
	case !was.live && b < a && !died, a >= syncproto.LocalError && a != b && !was.live:
		w.wrong = k.lawNumber("the verdict " + a.String() + " gives way to " + b.String())
	case r == parent && is.over && !was.over && was.state != syncproto.Opened && k.errorWaits(w, parent) &&
		o != opReadFailed && o != opExpired:
		w.wrong = k.lawNumber("the child's ERROR is lost: it arrived, and nobody reads it")
	}
}

// errorWaits reports whether r's peer has sent ERROR and r has not read it.
func (k *walk) errorWaits(w *world, r syncproto.Role) bool {
	for _, f := range w.queue[r] {
		if p := &k.frames[f]; p.Kind == syncproto.KindError && p.Re == 0 {
			return true
		}
	}
	return false
}

// checkLastWord checks the laws for the frame with which r ends the conversation: it must say why.
func (k *walk) checkLastWord(w *world, r syncproto.Role, p *frameInfo) uint8 {
	why := w.why[r]
	if r == parent && (why == byCancel || why == byDeadline) {
		if p.Kind != syncproto.KindCancel {
			return k.lawNumber("a parent that gives up says " + p.Kind.String())
		}
		return 0
	}
	if p.Kind != syncproto.KindError || p.Re != 0 {
		return k.lawNumber("the last word is " + p.Kind.String())
	}
	if p.code != codes[why] || p.role != r.String() {
		return k.lawNumber("an ERROR of the " + p.role + " with the code " + string(p.code) + ", and the " + r.String() +
			" means " + string(codes[why]))
	}
	return 0
}

// checkSent checks the laws for a frame of r that was sent completely.
func (k *walk) checkSent(w *world, r syncproto.Role, p *frameInfo) uint8 {
	if w.is[r]&spoken != 0 {
		return k.lawNumber(p.Kind.String() + " is sent after the last word")
	}
	if p.final() {
		w.is[r] |= spoken
	}
	if p.final() && p.Kind == syncproto.KindError {
		w.is[r] |= told
	}
	return 0
}

// checkArrival checks the laws for a frame of the profile that arrives at r. It keeps its own count, to catch a Session
// that accepts too much.
func (k *walk) checkArrival(w *world, r syncproto.Role, p *frameInfo) uint8 {
	why := ""
	if s := &k.sides[w.s[r]]; s.live {
		switch p.Kind {
		case syncproto.KindExec:
			why = k.missingRequest(w, s.verdict.Phase, -1)
		case syncproto.KindRequest, syncproto.KindReply:
			why = k.checkCall(w, r, p, s)
		}
	}
	if why == "" {
		return 0
	}
	return k.lawNumber(why)
}

func (k *walk) checkCall(w *world, r syncproto.Role, p *frameInfo, s *side) string {
	for i, row := range k.rules.rows {
		if row.phase != s.verdict.Phase {
			continue
		}
		switch {
		case p.Kind == syncproto.KindRequest && row.Request == p.name:
			return k.checkRequest(w, r, p, i)
		case p.Kind == syncproto.KindReply && row.Request == s.pending:
			return k.checkReply(w, p, i)
		}
	}
	return p.Kind.String() + " " + p.name + " arrives, for which there is no row"
}

func (k *walk) checkRequest(w *world, r syncproto.Role, p *frameInfo, i int) string {
	if w.pending {
		return p.name + " is requested while another request waits for its reply"
	}
	w.pending = true
	if w.requested[i]++; uint16(w.requested[i]) > k.rules.rows[i].Max {
		return p.name + " is requested too often"
	}
	peer := r.Peer()
	meant := meaning(k.rules.profile[peer], k.verdictOf(w, peer).Phase, p.name)
	taken := meaning(k.rules.profile[r], k.verdictOf(w, r).Phase, p.name)
	if meant != taken {
		return "a request that means " + meant + " is taken for " + taken
	}
	return ""
}

func (k *walk) checkReply(w *world, p *frameInfo, i int) string {
	row := &k.rules.rows[i]
	switch {
	case !w.pending || row.Reply != p.name:
		return p.name + " is no reply to " + row.Request
	case row.Request == k.rules.commit && !w.committed:
		return "the child may run before the parent has committed"
	}
	w.pending = false
	w.replied[i]++
	if row.Next == "" {
		return ""
	}
	why := k.missingRequest(w, row.phase, i)
	for j := range k.rules.rows {
		if k.rules.rows[j].phase == row.Next {
			w.requested[j], w.replied[j] = 0, 0
		}
	}
	return why
}

// missingRequest returns an error text for a request of a phase that has had fewer replies than the table requires; the
// row except is not considered.
func (k *walk) missingRequest(w *world, phase string, except int) string {
	for i, row := range k.rules.rows {
		if row.phase == phase && i != except && uint16(w.replied[i]) < row.Min {
			return row.Request + " is required and has no reply"
		}
	}
	return ""
}

// checkReceived checks the laws for a Session that has received a frame: two honest peers violate no rule, the caller
// gets every event that concerns it, and only a last word ends the conversation.
func (k *walk) checkReceived(w *world, r syncproto.Role, before uint32, p *frameInfo, out output) uint8 {
	was, is := &k.sides[before], &k.sides[out.to]
	lie := w.lied && p.Kind == syncproto.KindConfigOK
	differ := k.rules.differ && p.Kind == syncproto.KindHello
	switch {
	case lie && (is.live || was.live && out.err == ""):
		return k.lawNumber("another configuration than was sent is confirmed")
	case differ && is.live:
		return k.lawNumber("a greeting by another table is accepted")
	case (lie || differ) && !was.live:
		return 0
	case lie:
		w.why[r] = byDigest
		return 0
	case differ:
		w.why[r], w.hurt = byProfile, true
		w.is[r] |= failing
		return 0
	case out.err != "":
		return k.lawNumber("two honest peers broke the protocol: " + out.err)
	case p.Kind == syncproto.KindError && p.Re == 0 && out.event != session.Error:
		return k.lawNumber("the " + r.Peer().String() + "'s ERROR is lost")
	case p.Kind == syncproto.KindError && p.Re == 0 && !is.over:
		return k.lawNumber("the conversation goes on after ERROR")
	case p.Kind == syncproto.KindError && p.Re != 0 && was.live && (out.event != session.Refused || !is.live):
		return k.lawNumber("a refusal ended the conversation")
	case !was.live && out.event != session.Nothing && out.event != session.Error &&
		!(out.event == session.Cancel && was.verdict.Outcome == syncproto.Broken):
		return k.lawNumber(p.Kind.String() + " is reported to the caller after the end, who would reply to it once more")
	case p.Kind == syncproto.KindCancel && was.cancelled:
		return k.lawNumber("a CANCEL comes twice")
	case is.live && out.event != wants[p.Kind] && !(p.Kind == syncproto.KindError && p.Re != 0),
		is.live && out.name != p.name:
		return k.lawNumber(p.Kind.String() + " " + p.name + " is not reported to the " + r.String() + "'s caller")
	case was.live && !is.live && !p.final() && was.verdict.Outcome == syncproto.Undecided &&
		is.verdict.Outcome != syncproto.Died:
		return k.lawNumber(p.Kind.String() + " ended the conversation")
	case out.event == session.Config && string(k.rules.configs[0][w.got:][:len(out.bytes)]) != out.bytes:
		return k.lawNumber("another configuration has come than was sent")
	}
	k.handleEvent(w, r, out)
	return 0
}

// wants maps kinds of frames to the events expected for them.
var wants = map[syncproto.Kind]session.EventKind{
	syncproto.KindHello: session.Greeted, syncproto.KindHelloAck: session.Agreed, syncproto.KindConfig: session.Config,
	syncproto.KindConfigOK: session.Confirmed,
	syncproto.KindRequest:  session.Request, syncproto.KindReply: session.Reply,
	syncproto.KindNote: session.Note, syncproto.KindExec: session.Exec, syncproto.KindCancel: session.Cancel,
	syncproto.KindError: session.Error,
}

// meaning returns the Doc of a row.
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

// parentDecided reports whether the parent ended the conversation by its own decision: what a child sends after it was
// told to stop does not change that.
func (k *walk) parentDecided(w *world) bool {
	o := k.verdictOf(w, parent).Outcome
	return o == syncproto.Cancelled || o == syncproto.TimedOut || o == syncproto.LocalError
}

// nobodyListens reports whether the parent had finished with the conversation, so that a child could not report its
// failure any more.
func (k *walk) nobodyListens(w *world) bool {
	o := k.verdictOf(w, parent).Outcome
	return k.parentDecided(w) || o == syncproto.PeerError || o == syncproto.Violated || w.is[parent]&deaf != 0 ||
		w.is[child]&shut != 0 || o == syncproto.Died && w.is[parent]&shut != 0
}

// held counts the descriptors queued for a child that will never read again but whose socket is still open: they are
// closed when it is killed.
func (k *walk) held(w *world) (n int8) {
	for i := range w.queued[child] {
		n += int8(k.frames[w.queue[child][i]].NFDs)
	}
	return n + int8(k.frames[w.part[child]].NFDs)
}
