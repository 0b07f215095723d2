package syncproto

// Require returns the profile with the request required at least once wherever it is legal. It is for requests that the
// configuration makes necessary. Neither p nor the result may be changed afterwards: equal calls return the same
// profile.
func (p *Profile) Require(request string) *Profile {
	return p.cachedEdit(edit{requires, request}, func(r Row) (Row, bool) {
		if r.Request == request {
			r.Min = max(r.Min, 1)
		}
		return r, true
	})
}

// Forbid returns the profile without the request. It is for requests that the configuration rules out. The result must
// not be changed either.
func (p *Profile) Forbid(request string) *Profile {
	return p.cachedEdit(edit{forbids, request}, func(r Row) (Row, bool) { return r, r.Request != request })
}

// mapRows returns a copy of the profile with f applied to every row; rows for which f returns false are left out.
func (p *Profile) mapRows(f func(Row) (Row, bool)) *Profile {
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
