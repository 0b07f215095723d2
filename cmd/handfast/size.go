package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

var errSize = errors.New("want a number of bytes, with k, m, g, t or p after it for a power of 1024, " +
	"or -1 for no limit")

// setBytes reads a number of bytes in the form of runc's options (docker/go-units, RAMInBytes): 64m, 64MB, 64MiB and
// 65536 K are the same, and a fraction is allowed.
func setBytes(v string, into **int64) error {
	n, err := parseSize(v)
	if err != nil {
		return err
	}
	*into = &n
	return nil
}

func parseSize(v string) (int64, error) {
	if v == "-1" {
		return -1, nil
	}
	digits := len(v) - len(strings.TrimLeft(v, "0123456789."))
	n, err := strconv.ParseFloat(v[:digits], 64)
	if err != nil {
		return 0, errSize
	}
	unit := strings.ToLower(strings.TrimPrefix(v[digits:], " "))
	if unit != "" && unit != "b" {
		power := strings.IndexByte("kmgtp", unit[0])
		if rest := unit[1:]; power < 0 || rest != "" && rest != "b" && rest != "ib" {
			return 0, errSize
		}
		n *= math.Pow(1024, float64(power+1))
	}
	if n < 1 || n >= math.MaxInt64 { // zero would change nothing
		return 0, errSize
	}
	return int64(n), nil
}
