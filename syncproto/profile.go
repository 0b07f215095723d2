package syncproto

import (
	"hash/fnv"
	"strconv"
)

// Role is a side of the conversation.
type Role uint8

// The two roles. The parent made the child, and speaks first.
const (
	Parent Role = iota
	Child
)

// String is "parent" or "child".
func (r Role) String() string {
	if r == Parent {
		return "parent"
	}
	return "child"
}

// Peer is the other role.
func (r Role) Peer() Role { return r ^ 1 }

// Profile declares a conversation: what may be said after CONFIG, by whom, when, how often, with how many descriptors,
// and what the replies are called. Both roles run it, and the tables of docs/protocol.md are generated from it. HELLO
// carries its hash, so that two programs with different tables find out at once. A Profile is data. It must not be
// changed once a conversation uses it, because results derived from it are cached.
type Profile struct {
	Name      string  // names of profiles, phases, requests and replies: 1 to 32 of a-z A-Z 0-9 . _ -
	Doc       string  // one sentence for people; not part of the hash
	ConfigFDs FDCount // descriptors sent with the first fragment of CONFIG
	Phases    []Phase // CONFIG_OK enters the first one
}

// Phase is a part of the conversation in which one side, the Requester, makes requests and the other replies. Since
// only one side may begin an exchange, two requests can never cross, and no deadlock is possible.
type Phase struct {
	Name      string
	Requester Role
	Commit    bool  // the child may send EXEC in this phase
	Rows      []Row // the requests that are legal in this phase
}

// Row is one request and its reply.
type Row struct {
	Request string
	Reply   string
	// How often the request is made. Min is checked when the phase is left, and a refused request does not count towards
	// it. Max is checked when the request is made; zero means no limit but Limits.Frames.
	Min, Max   uint16
	RequestFDs FDCount // descriptors sent with the request
	ReplyFDs   FDCount // and with the reply
	Next       string  // the phase that the reply enters; empty: the phase stays
	Doc        string  // one sentence for people; not part of the hash
}

// FDCount is the number of descriptors that a message may carry.
type FDCount struct{ Min, Max uint8 }

// String is "0", "1" or "0..16".
func (c FDCount) String() string {
	if c.Min == c.Max {
		return strconv.Itoa(int(c.Min))
	}
	return strconv.Itoa(int(c.Min)) + ".." + strconv.Itoa(int(c.Max))
}

func (c FDCount) allows(n int) bool { return n >= int(c.Min) && n <= int(c.Max) }

// Hash returns a fingerprint of everything in the profile but its Docs: FNV-1a, 64 bits, of the text that Canonical
// returns. It detects that two programs have different versions of a table; it does not protect against a peer that
// lies.
func (p *Profile) Hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write(p.Canonical())
	return h.Sum64()
}

// Canonical returns the profile as text, one line for each phase and each row. Hash is computed from this text
// (docs/protocol.md, "Profiles").
func (p *Profile) Canonical() []byte {
	b := append([]byte("profile "), p.Name...)
	b = append(append(append(b, ' '), p.ConfigFDs.String()...), '\n')
	for _, ph := range p.Phases {
		b = append(append(append(append(b, "phase "...), ph.Name...), ' '), ph.Requester.String()...)
		if ph.Commit {
			b = append(b, " commit"...)
		}
		b = append(b, '\n')
		for _, r := range ph.Rows {
			for i, s := range [...]string{"row", r.Request, r.Reply, strconv.Itoa(int(r.Min)), strconv.Itoa(int(r.Max)),
				r.RequestFDs.String(), r.ReplyFDs.String(), r.Next} {
				if i > 0 {
					b = append(b, ' ')
				}
				b = append(b, s...)
			}
			b = append(b, '\n')
		}
	}
	return b
}

func (p *Profile) phaseIndex(name string) int {
	for i := range p.Phases {
		if p.Phases[i].Name == name {
			return i
		}
	}
	return -1
}

func (ph *Phase) rowIndex(request string) int {
	for i := range ph.Rows {
		if ph.Rows[i].Request == request {
			return i
		}
	}
	return -1
}

// Validate refuses a profile that cannot be run, and says which phase and row is wrong: names that are missing,
// malformed or used twice, a Next that does not exist, a Min above its Max, more descriptors than a message can carry,
// a phase or a row that cannot be reached, a phase from which EXEC cannot be reached (both sides would wait for ever),
// and a phase that commits although the parent makes its requests (a request of the parent could cross EXEC).
func (p *Profile) Validate() error {
	if !validName(p.Name) {
		return p.invalid("", "", "name "+strconv.Quote(p.Name)+" is not 1 to 32 of a-z A-Z 0-9 . _ -")
	}
	if len(p.Phases) == 0 || len(p.Phases) > 32 {
		return p.invalid("", "", "wants 1 to 32 phases, has "+strconv.Itoa(len(p.Phases)))
	}
	if c := p.ConfigFDs; c.Min > c.Max || c.Max > MaxFDs {
		return p.invalid("", "", "CONFIG with "+c.String()+" descriptors")
	}
	for i := range p.Phases {
		if err := p.validatePhase(i); err != nil {
			return err
		}
	}
	return p.validatePaths()
}

func (p *Profile) validatePhase(i int) error {
	ph := &p.Phases[i]
	if !validName(ph.Name) || p.phaseIndex(ph.Name) != i {
		return p.invalid(ph.Name, "", "its name is malformed or used twice")
	}
	if ph.Commit && ph.Requester == Parent {
		return p.invalid(ph.Name, "",
			"commits, so the child must make its requests: a request of the parent could cross EXEC")
	}
	if len(ph.Rows) > maxRows {
		return p.invalid(ph.Name, "", "more than "+strconv.Itoa(maxRows)+" rows")
	}
	for j := range ph.Rows {
		r := &ph.Rows[j]
		switch {
		case !validName(r.Request) || ph.rowIndex(r.Request) != j:
			return p.invalid(ph.Name, r.Request, "the request's name is malformed or used twice in this phase")
		case !validName(r.Reply):
			return p.invalid(ph.Name, r.Request, "the reply's name "+strconv.Quote(r.Reply)+" is malformed")
		case r.Max != 0 && r.Min > r.Max:
			return p.invalid(ph.Name, r.Request, "at least "+strconv.Itoa(int(r.Min))+" times, at most "+
				strconv.Itoa(int(r.Max)))
		case r.RequestFDs.Min > r.RequestFDs.Max || r.ReplyFDs.Min > r.ReplyFDs.Max ||
			max(r.RequestFDs.Max, r.ReplyFDs.Max) > MaxFDs:
			return p.invalid(ph.Name, r.Request, "descriptors: "+r.RequestFDs.String()+" and "+r.ReplyFDs.String())
		case r.Next != "" && p.phaseIndex(r.Next) < 0:
			return p.invalid(ph.Name, r.Request, "leads to the phase "+strconv.Quote(r.Next)+", which does not exist")
		case r.Next != "" && (r.Min > 1 || r.Max != 1):
			return p.invalid(ph.Name, r.Request, "leaves the phase, so it is made at most once")
		}
	}
	return nil
}

// validatePaths checks that every phase can be reached from the first one, and that EXEC can be reached from every
// phase.
func (p *Profile) validatePaths() error {
	reached, ends := uint64(1), uint64(0)
	for range p.Phases {
		for i := range p.Phases {
			ph := &p.Phases[i]
			if ph.Commit {
				ends |= 1 << i
			}
			for _, r := range ph.Rows {
				next := p.phaseIndex(r.Next)
				if next < 0 {
					continue
				}
				if reached&(1<<i) != 0 {
					reached |= 1 << next
				}
				if ends&(1<<next) != 0 {
					ends |= 1 << i
				}
			}
		}
	}
	for i := range p.Phases {
		if reached&(1<<i) == 0 {
			return p.invalid(p.Phases[i].Name, "", "cannot be reached: no row of a phase before it leads there")
		}
		if ends&(1<<i) == 0 {
			return p.invalid(p.Phases[i].Name, "", "EXEC cannot be reached from it: "+p.Phases[i].describeExits())
		}
		if err := p.validateExits(i); err != nil {
			return err
		}
	}
	return nil
}

// validateExits checks that a required row that leaves the phase is its only exit: any other exit could never be used.
func (p *Profile) validateExits(i int) error {
	ph := &p.Phases[i]
	required := -1
	for j, r := range ph.Rows {
		if r.Next != "" && r.Min > 0 {
			required = j
			break
		}
	}
	if required < 0 {
		return nil
	}
	for j, r := range ph.Rows {
		if r.Next != "" && j != required {
			return p.invalid(ph.Name, r.Request, "can never be made: it leaves the phase, and so does "+
				strconv.Quote(ph.Rows[required].Request)+", which is required first")
		}
	}
	if ph.Commit {
		return p.invalid(ph.Name, ph.Rows[required].Request,
			"is required and leaves the phase, so EXEC can never be sent in it")
	}
	return nil
}

// describeExits says where the rows of a phase lead, for an error.
func (ph *Phase) describeExits() string {
	s := ""
	for _, r := range ph.Rows {
		if r.Next != "" {
			s += ", " + strconv.Quote(r.Request) + " to " + strconv.Quote(r.Next)
		}
	}
	if s == "" {
		return "no row leaves it"
	}
	return "its rows lead" + s[1:]
}

func (p *Profile) invalid(phase, request, why string) error {
	where := "profile " + strconv.Quote(p.Name)
	if phase != "" {
		where += ", phase " + strconv.Quote(phase)
	}
	if request != "" {
		where += ", request " + strconv.Quote(request)
	}
	return &ProtocolError{Code: CodeProfile, Text: where + ": " + why}
}

func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}
