package cgroupfs

import (
	"errors"
	"math"
)

// The functions of this file parse the kernel's text without allocating. All of them accept any bytes.

var errNumber = errors.New("not a number")

// cutLine splits off the first line, without its end.
func cutLine(b []byte) (line, rest []byte) {
	for i, c := range b {
		if c == '\n' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// cutField splits off the first field. Fields are separated by blanks.
func cutField(b []byte) (field, rest []byte) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for i, c := range b {
		if c == ' ' || c == '\t' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// cutAt splits at the first c; found is false if there is none.
func cutAt(b []byte, c byte) (before, after []byte, found bool) {
	for i := range b {
		if b[i] == c {
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

// digits parses a field that is all decimal digits, or "max". A number too great for the type becomes the greatest
// value.
func digits(b []byte) (uint64, error) {
	if string(b) == "max" {
		return Unlimited, nil
	}
	if len(b) == 0 {
		return 0, errNumber
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, errNumber
		}
		d := uint64(c - '0')
		if n > (math.MaxUint64-d)/10 {
			return math.MaxUint64, nil
		}
		n = n*10 + d
	}
	return n, nil
}

// oneNumber parses a file that holds one number.
func oneNumber(b []byte) (uint64, error) {
	line, _ := cutLine(b)
	field, _ := cutField(line)
	return digits(field)
}

// decimal parses a number with decimals, the form of the percentages of pressure.
func decimal(b []byte) (float64, error) {
	whole, part, found := cutAt(b, '.')
	n, err := digits(whole)
	if err != nil || n > 1<<32 {
		return 0, errNumber
	}
	if !found {
		return float64(n), nil
	}
	scale := 1.0
	for _, c := range part {
		if c < '0' || c > '9' || scale >= 1e6 {
			return 0, errNumber
		}
		n, scale = n*10+uint64(c-'0'), scale*10
	}
	return float64(n) / scale, nil
}

// eachNumber parses a file of lines "key number". It skips a line without a number, since later kernels may have other
// lines.
func eachNumber(b []byte, f func(key []byte, n uint64)) {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		key, rest := cutField(line)
		value, _ := cutField(rest)
		if n, err := digits(value); err == nil {
			f(key, n)
		}
	}
}

// eachField parses a line of fields "key=number".
func eachField(line []byte, f func(key []byte, n uint64)) {
	for len(line) > 0 {
		var field []byte
		field, line = cutField(line)
		if key, value, found := cutAt(field, '='); found {
			if n, err := digits(value); err == nil {
				f(key, n)
			}
		}
	}
}

// majorMinor parses "major:minor".
func majorMinor(b []byte) (major, minor uint64, err error) {
	first, second, found := cutAt(b, ':')
	if !found {
		return 0, 0, errNumber
	}
	if major, err = digits(first); err != nil {
		return 0, 0, err
	}
	minor, err = digits(second)
	return major, minor, err
}

// idList appends the numbers of a list such as 0-3,7 (cpuset(7), "Formats").
func idList(out []uint16, b []byte) ([]uint16, error) {
	line, _ := cutLine(b)
	line, _ = cutField(line)
	for more := len(line) > 0; more; {
		var item []byte
		item, line, more = cutAt(line, ',')
		first, last, isRange := cutAt(item, '-')
		from, err := digits(first)
		to := from
		if err == nil && isRange {
			to, err = digits(last)
		}
		if err != nil || to > math.MaxUint16 || len(out) > math.MaxUint16 {
			return out, errNumber
		}
		for n := from; n <= to; n++ {
			out = append(out, uint16(n))
		}
	}
	return out, nil
}

// entryNamed returns the entry with a name, which it appends if there is none. If an earlier read left the same name in
// that place, it keeps that string.
func entryNamed[T any](all []T, name []byte, field func(*T) *string) ([]T, *T) {
	for i := range all {
		if *field(&all[i]) == string(name) {
			return all, &all[i]
		}
	}
	return appendNamed(all, name, field)
}

// appendNamed appends an entry with this name.
func appendNamed[T any](all []T, name []byte, field func(*T) *string) ([]T, *T) {
	n := len(all)
	if n < cap(all) {
		all = all[:n+1]
	} else {
		var zero T
		all = append(all, zero)
	}
	e := &all[n]
	old := *field(e)
	var zero T
	*e = zero
	if old != string(name) {
		old = string(name)
	}
	*field(e) = old
	return all, e
}
