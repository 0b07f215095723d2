package syncproto

import "strconv"

// State is how far a conversation has come. Its name is a past participle of what has been agreed.
type State uint8

// The states. Closed and Failed are final.
const (
	Opened     State = iota // nothing has passed
	Greeted                 // HELLO has passed
	Agreed                  // HELLO_ACK has passed: version, codec and limits are in force
	Configured              // CONFIG_OK has passed: the profile's phases run
	Committed               // EXEC has passed: end of file means success in this state only
	Closed                  // end of file after EXEC
	Failed                  // every other end
)

var stateNames = [...]string{"Opened", "Greeted", "Agreed", "Configured", "Committed", "Closed", "Failed"}

// String returns the state's name in docs/protocol.md.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "state " + strconv.Itoa(int(s))
}

// Rule is one row of the table that every conversation follows, whatever its profile: in state From, Sender may send
// Kind, which leads to To. A frame without a row is a violation.
type Rule struct {
	From   State
	Sender Role
	Kind   Kind
	To     State
	Doc    string
}

// Rules returns the table. Both roles run it: a row is something to send for its Sender and something to receive for
// the other side. REQUEST and REPLY must obey the profile's rows as well. Each call returns a new slice.
func Rules() []Rule { return append([]Rule(nil), rules[:]...) }

var rules = [...]Rule{
	{Opened, Parent, KindHello, Greeted, "The parent speaks first."},
	{Opened, Child, KindError, Failed, "The child failed before it was greeted."},
	{Greeted, Parent, KindConfig, Greeted, "Zero round trips: only where HELLO offers a single codec."},
	{Greeted, Child, KindHelloAck, Agreed, "The child chooses."},
	{Greeted, Child, KindError, Failed, "The child cannot agree."},
	{Greeted, Parent, KindError, Failed, "The parent gives up."},
	{Greeted, Parent, KindCancel, Greeted, "The parent tells the child to stop."},
	{Agreed, Parent, KindConfig, Agreed, "Fragments, in order, the last one without MORE."},
	{Agreed, Child, KindConfigOK, Configured, "The configuration arrived whole."},
	{Agreed, Child, KindNote, Agreed, "A line for the log."},
	{Agreed, Child, KindError, Failed, "The child failed."},
	{Agreed, Parent, KindError, Failed, "The parent gives up."},
	{Agreed, Parent, KindCancel, Agreed, "The parent tells the child to stop."},
	{Configured, Parent, KindRequest, Configured, "In a phase whose requester is the parent."},
	{Configured, Child, KindRequest, Configured, "In a phase whose requester is the child."},
	{Configured, Parent, KindReply, Configured, "To the child's request."},
	{Configured, Child, KindReply, Configured, "To the parent's request."},
	{Configured, Child, KindNote, Configured, "A line for the log."},
	{Configured, Child, KindExec, Committed,
		"In a phase that commits, with no request pending and none still required."},
	{Configured, Child, KindError, Failed, "The child failed."},
	{Configured, Parent, KindError, Failed, "The parent gives up; with the `re` of a request it refuses that request, " +
		"and the state stays."},
	{Configured, Parent, KindCancel, Configured, "The parent tells the child to stop."},
	{Committed, Child, KindError, Failed, "The execution itself failed."},
}

// rule finds the row for a frame; ok is false if there is none.
func rule(from State, sender Role, kind Kind) (to State, ok bool) {
	for i := range rules {
		if r := &rules[i]; r.From == from && r.Sender == sender && r.Kind == kind {
			return r.To, true
		}
	}
	return from, false
}
