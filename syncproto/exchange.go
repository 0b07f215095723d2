package syncproto

// Exchange is one row of a profile together with the Go types of the request's argument and the reply's, so that the
// compiler checks what both sides send. It is declared once: the profile lists its Row, and both sides use it through
// the functions of package transport:
//
//	var Open = syncproto.Exchange[OpenArg, FileInfo]{Row: syncproto.Row{
//		Request: "open", Reply: "opened", ReplyFDs: syncproto.FDCount{Min: 1, Max: 1},
//	}}
//
// The types are converted as by ToValue and FromValue. A struct without fields, such as struct{}, stands for no
// argument and is sent as null.
type Exchange[Arg, Reply any] struct {
	Row
}

// BindArg converts the argument of a received request. An error is a *ProtocolError with the code "decode" that blames
// sender and names the request and the field.
func (x Exchange[Arg, Reply]) BindArg(v Value, sender Role) (Arg, error) {
	return bindBody[Arg](v, KindRequest, x.Request, sender)
}

// BindReply converts the argument of a received reply; errors are as for BindArg.
func (x Exchange[Arg, Reply]) BindReply(v Value, sender Role) (Reply, error) {
	return bindBody[Reply](v, KindReply, x.Row.Reply, sender)
}

func bindBody[T any](v Value, k Kind, name string, sender Role) (t T, err error) {
	if err := FromValue(v, &t, false); err != nil {
		return t, &ProtocolError{Code: CodeDecode, Kind: k, Sender: sender, Text: name + ": " + err.Error()}
	}
	return t, nil
}
