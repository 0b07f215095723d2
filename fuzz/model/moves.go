package model

import "github.com/handfast/handfast/syncproto"

// steps are all that can happen next.
func (k *rules) steps(w world) (list []step) {
	for _, r := range []syncproto.Role{parent, child} {
		if !w.fate[r].acts() {
			continue
		}
		who := "the " + r.String() + " "
		if w.fate[r] == running {
			list = k.own(list, w, r, who)
		} else if w.queued[r] == 0 || r == child {
			list = append(list, step{who + "closes", w.close(r, ended), false}) // the grace is over and all that had come is read; a child has none
		}
		if w.reads(r) {
			if next, name, ok := k.receive(w, r); ok {
				list = append(list, step{who + name, next, false})
			}
		}
		list = w.deaths(list, r, who)
	}
	return list
}

// own are r's own moves while it runs.
func (k *rules) own(list []step, w world, r syncproto.Role, who string) []step {
	if w.cause[r] {
		if next, ok := w.report(r, k.room); ok {
			list = append(list, step{who + "reports its failure", next, false})
		}
		return list
	}
	list = k.says(list, w, r, who)
	if w.m[r].State() != syncproto.Opened || r == child {
		failing := w // after a refusal, or having shut down its own writing, that may be all there is left to do
		failing.cause[r], failing.hurt = true, true
		list = append(list, step{who + "fails", failing, !w.refused && !w.shut[r]})
	}
	if r == parent {
		return k.parents(list, w)
	}
	if w.m[child].State() == syncproto.Committed {
		list = append(list, step{"the child executes", w.close(child, executed), false})
	}
	return w.halfClose(list, child)
}

// says are the words that r's machine allows. A word that finds no room waits.
func (k *rules) says(list []step, w world, r syncproto.Role, who string) []step {
	for _, f := range k.words[r] {
		if f.Kind == syncproto.KindReply && k.uncommitted(&w) {
			continue
		}
		if next, ok := w.send(r, f, k.room); ok {
			list = append(list, step{who + "says " + label(f.Kind, f.Name), next, false})
		}
	}
	if next, ok := w.send(r, syncproto.Frame{Kind: syncproto.KindError, Fail: true}, k.room); ok {
		next.refused, next.hurt = true, true
		list = append(list, step{who + "refuses", next, true})
	}
	return list
}

// uncommitted reports that the parent is asked for what takes a commit of its caller first.
func (k *rules) uncommitted(w *world) bool {
	return k.commit != "" && w.m[parent].Pending() == k.commit && !w.committed
}

// parents are the moves that only a parent has.
func (k *rules) parents(list []step, w world) []step {
	if k.uncommitted(&w) {
		done := w
		done.committed = true
		list = append(list, step{"the parent commits", done, false})
	}
	// Every wait is bounded; where the child does nothing more, that bound is all there is to count on.
	if w.m[parent].Waiting() != syncproto.WaitSelf {
		list = append(list, step{"the parent's deadline passes", w.decide(syncproto.TimedOut, k.room), w.fate[child] != stopped})
	}
	if w.fate[child] == leaked && w.queued[parent] == 0 && !w.torn[parent] {
		dead := w
		dead.m[parent].Fail(syncproto.Died)
		list = append(list, step{"the parent learns of the child's exit", dead.close(parent, ended), false})
	}
	list = append(list, step{"the parent cancels", w.decide(syncproto.Cancelled, k.room), true})
	return w.halfClose(list, parent)
}

// halfClose is shutdown(SHUT_WR). A parent that has heard EXEC loses nothing by it, a child that has said it may not.
func (w world) halfClose(list []step, r syncproto.Role) []step {
	s := w.m[r].State()
	if w.shut[r] || s == syncproto.Opened || s == syncproto.Failed || s == syncproto.Committed && r == child {
		return list
	}
	w.shut[r] = true
	w.hurt = w.hurt || s != syncproto.Committed
	return append(list, step{"the " + r.String() + " shuts down its writing", w, true})
}

// deaths are the ways to be ended from outside.
func (w world) deaths(list []step, r syncproto.Role, who string) []step {
	dead := w.close(r, killed)
	dead.hurt = true
	list = append(list, step{who + "dies", dead, true})
	if to := r.Peer(); w.fate[to].acts() && !w.shut[r] && w.m[r].State() < syncproto.Closed {
		dead.torn[to] = true // descriptors ride with the first byte, so those of a frame that is cut short have come
		dead.flying++
		list = append(list, step{who + "dies in the middle of a frame", dead, true})
	}
	if r == child && w.fate[parent].acts() {
		stuck := w.settle(child, stopped)
		stuck.hurt = true
		list = append(list, step{"the child stops", stuck, true})
		stuck.fate[child] = leaked
		list = append(list, step{"the child dies with its socket leaked", stuck, true})
	}
	return list
}

func label(kind syncproto.Kind, name string) string {
	if name == "" {
		return kind.String()
	}
	return kind.String() + " " + name
}
