package model

import "github.com/handfast/handfast/syncproto"

// steps collects everything that can happen next.
func (k *walk) steps(w world) {
	for _, r := range [...]syncproto.Role{parent, child} {
		switch w.fate[r] {
		case running:
			k.addRunning(w, r)
			k.addDeaths(w, r)
		case done:
			k.add(label{r, "closes", 0}, k.close(w, r, ended), false)
			k.addStops(w, r)
		}
	}
}

func (k *walk) add(l label, to world, accident bool) {
	k.forget(&to)
	k.list = append(k.list, step{l, to, accident})
}

// addRunning adds r's steps while its Session is not over.
func (k *walk) addRunning(w world, r syncproto.Role) {
	s := &k.sides[w.s[r]]
	switch {
	case w.out[r] != 0:
		k.addWrites(w, r)
	case s.live:
		k.addWords(w, r)
	}
	if s.reading && k.reads(&w, r, s) {
		if next, does, frame := k.receive(w, r); does != "" {
			k.add(label{r, does, frame}, next, false)
		}
		if s.live && s.state > syncproto.Opened { // a failure to read
			broken := w
			broken.is[r], broken.hurt = w.is[r]|deaf, true
			k.add(label{r, "cannot read any more", 0}, k.tell(broken, r, input{op: opReadFailed}), true)
		}
	}
	k.addEndings(w, r, s)
}

// reads reports whether r reads. A parent always does, except while it writes; a child does only while it waits for
// something, or if its frame finds no room.
func (k *walk) reads(w *world, r syncproto.Role, s *side) bool {
	switch {
	case w.out[r] != 0:
		return k.blocked(w, r)
	case r == parent || !s.live:
		return true
	}
	return s.wait == syncproto.WaitHello || s.wait == syncproto.WaitConfig || s.wait == syncproto.WaitPeer
}

// addWrites adds what can happen to the outgoing frame.
func (k *walk) addWrites(w world, r syncproto.Role) {
	frame := w.out[r]
	if next, ok := k.write(w, r); ok {
		k.add(label{r, "sends", frame}, next, false)
	}
	if next, ok := k.begin(w, r); ok {
		k.add(label{r, "sends the beginning of", frame}, next, true)
	}
	if k.sides[w.s[r]].live {
		k.add(label{r, "cannot send", frame}, k.writeFails(w, r), true)
	}
}

// addWords adds the frames of r's caller that its Session allows.
func (k *walk) addWords(w world, r syncproto.Role) {
	if w.is[r]&shut != 0 {
		return
	}
	if r == parent {
		k.addWord(w, r, input{op: opHello}, false)
		if k.sides[w.s[r]].agreed && int(w.sent) < len(k.rules.configs[0]) {
			k.addWord(w, r, input{opConfig, w.sent}, false)
		}
	} else {
		k.addWord(w, r, input{op: opConfirm}, false)
		k.addWord(w, r, input{opConfirm, 1}, true)
		k.addWord(w, r, input{op: opNote}, false)
		k.addWord(w, r, input{op: opExec}, false)
	}
	for i, f := range k.rules.words[r] {
		if f.kind == syncproto.KindReply && k.uncommitted(&w) {
			continue
		}
		k.addWord(w, r, input{opCall, uint16(i)}, false)
	}
	k.addWord(w, r, input{op: opRefuse}, true)
}

// addWord adds one of them: the frame is sent at once if there is room, whole or in two pieces, and waits if there is
// none.
func (k *walk) addWord(w world, r syncproto.Role, in input, accident bool) {
	out := k.apply(w.s[r], in)
	if out.err != "" {
		if out.to != w.s[r] {
			w.wrong = k.lawNumber("a frame that is refused has changed the conversation: " + out.err)
			k.add(label{r, "tries to send something", 0}, w, false)
		}
		return
	}
	w.s[r], w.out[r] = out.to, out.frame
	switch in.op {
	case opConfig:
		w.sent = out.off
	case opConfirm:
		w.lied = in.arg != 0
		w.hurt = w.hurt || w.lied
	case opRefuse:
		w.refused, w.hurt = true, true
	}
	says := label{r, "sends", out.frame}
	if !k.sides[out.to].live {
		w.wrong = k.lawNumber("a side's own frame ends its conversation")
		k.add(says, w, accident)
		return
	}
	if next, ok := k.begin(w, r); ok {
		k.add(label{r, "sends the beginning of", out.frame}, next, true)
	}
	if next, ok := k.write(w, r); ok {
		k.add(says, next, accident)
	} else {
		k.add(label{r, "finds no room for", out.frame}, w, accident)
	}
}

// uncommitted reports whether the pending request requires the parent's caller to commit first.
func (k *walk) uncommitted(w *world) bool {
	return k.rules.commit != "" && k.sides[w.s[parent]].pending == k.rules.commit && !w.committed
}

// addEndings adds the ways in which r itself ends the conversation, or learns that it has ended.
func (k *walk) addEndings(w world, r syncproto.Role, s *side) {
	hurt := w
	hurt.hurt = true
	if s.live && w.out[r] == 0 {
		failed := hurt
		failed.is[r] |= failing
		// After a refusal, or after it has shut down its own sending, that may be the only step left.
		k.add(label{r, "fails", 0}, k.end(failed, r, opAbort, byFailure), !w.refused && w.is[r]&shut == 0)
		k.addHalfClose(w, r, s)
	}
	if s.live {
		k.add(label{r, "gives up", 0}, k.end(hurt, r, opCancel, byCancel), true)
	}
	k.addExpiry(hurt, r, s)
	if r == child {
		if s.live && s.state == syncproto.Committed && w.out[r] == 0 {
			k.add(label{r, "executes", 0}, k.close(w, child, executed), false)
		}
		return
	}
	if s.live && w.out[r] == 0 && k.uncommitted(&w) {
		granted := w
		granted.committed = true
		k.add(label{r, "commits", 0}, granted, false)
	}
	if f := w.fate[child]; f == killed || f == leaked || f == ended {
		if next := k.tell(w, parent, input{op: opExited}); next != w {
			k.add(label{r, "learns of the child's exit", 0}, next, f != leaked)
		}
	}
}

// addExpiry adds the deadline of r's wait. Every wait for the peer is bounded; if the peer does nothing more, only the
// deadline ends it. Once the outcome is known, what has arrived is read before a deadline passes.
func (k *walk) addExpiry(w world, r syncproto.Role, s *side) {
	stuck := w.fate[r.Peer()] == stopped
	switch s.wait {
	case syncproto.WaitHello, syncproto.WaitConfig:
	case syncproto.WaitPeer, syncproto.WaitEnd:
		if r == child {
			return // a child waits for these without limit: it would find end of file
		}
	case syncproto.WaitTold:
		w.is[r] |= mute
		stuck = stuck || w.fate[r.Peer()] == leaked
	case syncproto.WaitGrace:
		if w.queued[r] != 0 {
			return
		}
		w.is[r] |= deaf
		stuck = true
	default:
		if !s.live || w.out[r] == 0 {
			return // a frame that finds no room has a deadline too
		}
	}
	if s.wait == syncproto.WaitTold && !k.blocked(&w, r) {
		return
	}
	k.add(label{r, "has waited too long", 0}, k.end(w, r, opExpired, byDeadline), !stuck)
}

// addHalfClose adds shutdown(SHUT_WR). It does no harm to a parent that has read EXEC; a child that has sent EXEC may
// not do it.
func (k *walk) addHalfClose(w world, r syncproto.Role, s *side) {
	if w.is[r]&shut != 0 || s.state == syncproto.Opened || s.state == syncproto.Committed && r == child {
		return
	}
	w.is[r] |= shut
	w.hurt = w.hurt || s.state != syncproto.Committed
	k.add(label{r, "shuts down its sending", 0}, w, true)
}

// addDeaths adds the ways in which r is ended from outside.
func (k *walk) addDeaths(w world, r syncproto.Role) {
	dead := k.close(w, r, killed)
	dead.hurt = true
	k.add(label{r, "dies", 0}, dead, true)
	k.addStops(w, r)
}

// addStops adds the ways in which a child does nothing more while its socket stays open.
func (k *walk) addStops(w world, r syncproto.Role) {
	if r == parent || !w.fate[parent].acts() {
		return
	}
	stuck := k.leave(w, child, stopped)
	stuck.hurt = true
	k.add(label{r, "stops", 0}, stuck, true)
	stuck.fate[child] = leaked
	k.add(label{r, "dies with its socket leaked", 0}, stuck, true)
}
