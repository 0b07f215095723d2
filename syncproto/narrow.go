package syncproto

// Require is a copy of the profile in which the request is made at least once wherever it is legal: what the configuration asks for must happen.
func (p *Profile) Require(request string) *Profile {
	return p.edit(func(r Row) (Row, bool) {
		if r.Request == request {
			r.Min = max(r.Min, 1)
		}
		return r, true
	})
}

// Forbid is a copy of the profile without the request: what the configuration does not ask for must not happen.
func (p *Profile) Forbid(request string) *Profile {
	return p.edit(func(r Row) (Row, bool) { return r, r.Request != request })
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
