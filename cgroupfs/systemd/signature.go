package systemd

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// maxNesting is how deep arrays and structures may be nested, and maxSignature the longest signature (D-Bus
// Specification, "Valid Signatures").
const (
	maxNesting   = 32
	maxSignature = 255
)

// oneType splits the first complete type off a signature.
func oneType(sig string) (one, rest string, err error) {
	n, err := typeLength(sig, 0)
	if err != nil {
		return "", "", err
	}
	return sig[:n], sig[n:], nil
}

func typeLength(sig string, depth int) (int, error) {
	if sig == "" || depth > maxNesting || len(sig) > maxSignature {
		return 0, fmt.Errorf("signature %.40q ends too early, or is nested too deep: %w", sig, unix.EBADMSG)
	}
	switch {
	case strings.IndexByte("ybnqiuxtdsogv", sig[0]) >= 0:
		return 1, nil
	case sig[0] == 'a' && strings.HasPrefix(sig[1:], "{"):
		n, err := entryLength(sig[1:], depth+1)
		return 1 + n, err
	case sig[0] == 'a':
		n, err := typeLength(sig[1:], depth+1)
		return 1 + n, err
	case sig[0] == '(':
		n := 1
		for n < len(sig) && sig[n] != ')' {
			m, err := typeLength(sig[n:], depth+1)
			if err != nil {
				return 0, err
			}
			n += m
		}
		if n == 1 || n == len(sig) {
			return 0, fmt.Errorf("signature %q has an empty or unfinished structure: %w", sig, unix.EBADMSG)
		}
		return n + 1, nil
	}
	return 0, fmt.Errorf("signature %q begins with a type that is not supported: %w", sig, unix.EBADMSG)
}

// entryLength returns the length of the type of a dictionary entry, which only occurs in an array: a basic type, and
// any type.
func entryLength(sig string, depth int) (int, error) {
	if len(sig) < 2 || strings.IndexByte("ybnqiuxtdsog", sig[1]) < 0 {
		return 0, fmt.Errorf("signature %q has an entry whose key is not a basic type: %w", sig, unix.EBADMSG)
	}
	n, err := typeLength(sig[2:], depth+1)
	if err != nil {
		return 0, err
	}
	if len(sig) <= 2+n || sig[2+n] != '}' {
		return 0, fmt.Errorf("signature %q has an entry that is not a key and a value: %w", sig, unix.EBADMSG)
	}
	return 3 + n, nil
}

// members returns the types in a structure or an entry, whose signature must be valid.
func members(sig string) ([]string, error) {
	var all []string
	for rest := sig[1 : len(sig)-1]; rest != ""; {
		one, next, err := oneType(rest)
		if err != nil {
			return nil, err
		}
		all, rest = append(all, one), next
	}
	return all, nil
}

// alignment returns the alignment of a type in bytes (D-Bus Specification, "Summary of D-Bus marshalling").
func alignment(kind byte) int {
	switch kind {
	case 'n', 'q':
		return 2
	case 'b', 'i', 'u', 's', 'o', 'a':
		return 4
	case 'x', 't', 'd', '(', '{':
		return 8
	}
	return 1
}
