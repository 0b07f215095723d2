package syncproto

// Exchange is one row of a profile together with the Go types of the request's argument and of the reply's, so that the
// compiler checks what both sides say. It is declared once; the profile lists its Row, and both sides speak it through
// the functions of package transport:
//
//	var Open = syncproto.Exchange[OpenArg, FileInfo]{Row: syncproto.Row{
//		Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1},
//	}}
//
// The types are bound as by ToValue and FromValue. A struct without fields, such as struct{}, is for what says nothing:
// it travels as null.
type Exchange[Arg, Reply any] struct {
	Row
}

// ArgValue is the argument of the request as it travels.
func (x Exchange[Arg, Reply]) ArgValue(arg Arg) (Value, error) { return ToValue(arg) }

// ReplyValue is the argument of the reply as it travels.
func (x Exchange[Arg, Reply]) ReplyValue(reply Reply) (Value, error) { return ToValue(reply) }

// BindArg is the argument of a request that has arrived. An error is a *ProtocolError of the code "decode" by sender
// that names the request and the field.
func (x Exchange[Arg, Reply]) BindArg(v Value, sender Role) (Arg, error) {
	return bindBody[Arg](v, KindRequest, x.Request, sender)
}

// BindReply is the argument of a reply that has arrived; errors are as with BindArg.
func (x Exchange[Arg, Reply]) BindReply(v Value, sender Role) (Reply, error) {
	return bindBody[Reply](v, KindReply, x.Row.Reply, sender)
}

func bindBody[T any](v Value, k Kind, name string, sender Role) (t T, err error) {
	if err := FromValue(v, &t, false); err != nil {
		return t, &ProtocolError{Code: CodeDecode, Kind: k, Sender: sender, Text: name + ": " + err.Error()}
	}
	return t, nil
}
