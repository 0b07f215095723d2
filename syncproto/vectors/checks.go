package vectors

const everyField = "Every field that is not optional is present, and each field is of its type and range"

// Check is one check that a receiver makes on a frame.
type Check struct {
	Name string // part of the names of the vectors in order/
	Kind string // the kind of frame that it applies to, as docs/protocol.md spells it; empty for every kind
	Code string // the code of the violation if the check fails
	Text string // what must hold
}

// Checks returns the checks of a frame in the order in which a receiver makes them: if a frame violates several rules,
// the first one decides the code of the ERROR. Checks without a kind come first and apply to every frame; those for its
// kind follow. The list in docs/protocol.md is generated from them, and each vector in order/ violates two of them.
func Checks() []Check {
	return []Check{
		{"magic", "", "foreign", "Bytes 0 and 1 are `0x53 0x59`; the first is checked before the second has arrived."},
		{"header", "", "frame", "The packet is no shorter than a header. " +
			"(A stream that ends there is the death of the peer.)"},
		{"version", "", "version", "Byte 2 is 1."},
		{"kind", "", "frame", "`kind` is in the table, or SKIPPABLE is set and `kind` is not zero."},
		{"flags", "", "frame", "No other flag than MORE and SKIPPABLE is set."},
		{"more", "", "frame", "MORE is set on CONFIG alone."},
		{"reserved", "", "frame", "The reserved bytes are zero."},
		{"seq", "", "frame", "`seq` is one more than in the sender's frame before, and 1 in its first."},
		{"frames", "", "limit", "`seq` is not over the limit `frames`."},
		{"length", "", "limit", "`length` is not over the limit of the kind; that of an unknown kind is `control`."},
		{"state", "", "state", "The table of section 7 has a row for this kind, from this sender, in the present state."},
		{"nfds", "", "descriptors", "`nfds` is not over what may come at this place: with the first fragment of CONFIG, " +
			"what the profile says; with a REQUEST, the most that any row of the phase allows; with a REPLY, what the row " +
			"of the pending request allows; with all others, none."},
		{"size", "", "frame", "The packet is as long as header and `length` say."},
		{"came", "", "descriptors", "As many descriptors came as `nfds` says, and with the first byte."},
		{"codec", "", "decode", "The codec accepts the payload, which is one value with nothing after it. " +
			"(If it is nested too deep or holds too many values, the code is `limit`. EXEC has no payload; of CONFIG " +
			"this and the fields are judged once its last fragment has come; an ERROR that cannot be read is an ERROR.)"},
		{"re", "HELLO", "frame", "`re` is zero."},
		{"fields", "HELLO", "decode", everyField + "."},
		{"versions", "HELLO", "version", "`min` to `max` holds a version that the child speaks."},
		{"profile", "HELLO", "profile", "`profile` and `hash` are the child's."},
		{"codecs", "HELLO", "version", "`codecs` has one that the child speaks."},
		{"limits", "HELLO", "limit", "No limit, the lower of both sides', is below the least of section 13."},
		{"re", "HELLO_ACK", "frame", "`re` is 1."},
		{"fields", "HELLO_ACK", "decode", everyField + "."},
		{"choice", "HELLO_ACK", "version", "`version` and `codec` were offered, and no limit is higher than in HELLO."},
		{"once", "CONFIG", "state", "The last fragment has not come yet."},
		{"waited", "CONFIG", "state", "HELLO_ACK has gone out, or HELLO offers one codec alone."},
		{"fds", "CONFIG", "descriptors", "With the first fragment come no fewer descriptors than the profile says."},
		{"fragment", "CONFIG", "frame", "A fragment with MORE is not empty."},
		{"config", "CONFIG", "limit", "All fragments together are not over the limit `config`."},
		{"re", "CONFIG", "frame", "`re` is zero."},
		{"complete", "CONFIG_OK", "state", "The last fragment of CONFIG has gone out."},
		{"re", "CONFIG_OK", "frame", "`re` is the last fragment's."},
		{"fields", "CONFIG_OK", "decode", everyField + "."},
		{"same", "CONFIG_OK", "decode", "Size and digest are those of what was sent."},
		{"fields", "REQUEST", "decode", everyField + ", and there are no others."},
		{"asker", "REQUEST", "state", "The sender is the phase's requester."},
		{"one", "REQUEST", "state", "No other request is pending."},
		{"row", "REQUEST", "state", "`name` is a request of the phase."},
		{"max", "REQUEST", "state", "It was not made *max* times already."},
		{"fds", "REQUEST", "descriptors", "As many descriptors come with it as its row says."},
		{"required", "REQUEST", "state", "If it leaves the phase, each other row has had *min* replies."},
		{"re", "REQUEST", "frame", "`re` is zero."},
		{"fields", "REPLY", "decode", everyField + ", and there are no others."},
		{"asked", "REPLY", "state", "A request of the receiver's is pending."},
		{"name", "REPLY", "state", "`name` is the reply of that request's row."},
		{"fds", "REPLY", "descriptors", "As many descriptors come with it as the row says."},
		{"re", "REPLY", "frame", "`re` is the request's."},
		{"notes", "NOTE", "limit", "There are not more than the limit `notes`."},
		{"re", "NOTE", "frame", "`re` is zero."},
		{"fields", "NOTE", "decode", everyField + ", and there are no others."},
		{"re", "ERROR", "frame", "`re` is zero, or that of the receiver's pending request."},
		{"empty", "EXEC", "frame", "The payload is empty."},
		{"commits", "EXEC", "state", "The phase commits."},
		{"unanswered", "EXEC", "state", "No request is pending."},
		{"required", "EXEC", "state", "Each row has had *min* replies."},
		{"re", "EXEC", "frame", "`re` is zero."},
		{"re", "CANCEL", "frame", "`re` is zero."},
		{"fields", "CANCEL", "decode", everyField + "."},
	}
}
