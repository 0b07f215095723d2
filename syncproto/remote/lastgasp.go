package remote

// LastGasp is the payload of an ERROR frame for a child that has no memory left to make one: code internal, ENOMEM, in
// JSON. It is already encoded and must not be changed. Child.Gasp of package transport sends it.
var LastGasp = []byte(`{"code":"internal","role":"child","nodes":[{"type":"errno","text":"cannot allocate memory","errno":"ENOMEM"}]}`)
