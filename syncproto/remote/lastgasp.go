package remote

// LastGasp is the payload of an ERROR frame for a child that has no memory left to make one: code internal, ENOMEM, in
// JSON. It is encoded already, and not to be changed. Peer.Gasp of package transport sends it. Where the conversation
// has agreed on another codec it can be told by its first byte, for no map of MessagePack starts with "{".
var LastGasp = []byte(`{"code":"internal","role":"child","nodes":[{"type":"errno","text":"cannot allocate memory","errno":"ENOMEM"}]}`)
