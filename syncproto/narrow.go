package syncproto

// Require is the profile in which the request is made at least once wherever it is legal: what the configuration asks
// for must happen. Like p it is not to be changed from here on: whoever asks for the same gets the same one.
func (p *Profile) Require(request string) *Profile {
	return p.edited(edit{requires, request}, func(r Row) (Row, bool) {
		if r.Request == request {
			r.Min = max(r.Min, 1)
		}
		return r, true
	})
}

// Forbid is the profile without the request: what the configuration does not ask for must not happen. It is not to be
// changed either.
func (p *Profile) Forbid(request string) *Profile {
	return p.edited(edit{forbids, request}, func(r Row) (Row, bool) { return r, r.Request != request })
}

func (p *Profile) edit(f func(Row) (Row, bool)) *Profile {
	q := *p
	q.Phases = append([]Phase(nil), p.Phases...)
	for i := range q.Phases {
		rows := make([]Row, 0, len(q.Phases[i].Rows))
		for _, r := range q.Phases[i].Rows {
			if r, keep := f(r); keep {
				rows = append(rows, r)
			}
		}
		q.Phases[i].Rows = rows
	}
	return &q
}
