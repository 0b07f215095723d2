package filtercache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
)

// Entry is a compiled filter, with what it was compiled from.
type Entry struct {
	Compiler string   // mark of the program that compiled it, as returned by Compiler
	Filter   []byte   // struct sock_filter of <linux/filter.h>, 8 bytes an instruction, in the host's byte order
	Flags    uint32   // SECCOMP_FILTER_FLAG_* of <linux/seccomp.h>
	Notify   bool     // the filter passes calls to the agent at Path
	Path     string   // linux.seccomp.listenerPath
	Metadata string   // linux.seccomp.listenerMetadata
	Skipped  []string // names in the profile that are no call here
	Profile  []byte   // linux.seccomp as in the configuration
}

// magic begins an entry. Its last byte counts the changes of the format.
const magic = "handfast-filter\x01"

// Bounds of what is read.
const (
	maxEntry  = 4 << 20    // bytes; a profile takes most of it
	maxFilter = 4096 * 8   // BPF_MAXINSNS of <linux/bpf_common.h>
	maxNames  = 64 << 10   // skipped names
	sumSize   = 8          // size of the checksum, 64 bits of FNV-1a: it detects damage, not forgery
	nameSize  = 16         // hexadecimal digits of an entry's name
	nameSpace = "filter-"  // the prefix of an entry's name
	newSpace  = ".filter-" // the prefix of a temporary name while an entry is written
)

// Name returns the file name for a profile's filter by this compiler, a fingerprint of both. Two profiles with the same
// fingerprint replace each other in the file; Is distinguishes them.
func Name(compiler string, profile []byte) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(compiler))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(profile)
	digits := strconv.FormatUint(h.Sum64(), 16)
	return nameSpace + "0000000000000000"[:nameSize-len(digits)] + digits
}

// Is reports whether the entry is for this profile and this compiler.
func (e *Entry) Is(compiler string, profile []byte) bool {
	return e.Compiler == compiler && string(e.Profile) == string(profile)
}

// Encode returns the entry as bytes: the magic, the fields, each with its length unless that is fixed, their checksum,
// and the profile. Numbers are big-endian.
func (e *Entry) Encode() []byte {
	b := make([]byte, 0,
		len(magic)+64+len(e.Compiler)+len(e.Filter)+len(e.Path)+len(e.Metadata)+16*len(e.Skipped)+len(e.Profile))
	b = append(b, magic...)
	b = appendText(b, e.Compiler)
	b = binary.BigEndian.AppendUint32(b, e.Flags)
	notify := byte(0)
	if e.Notify {
		notify = 1
	}
	b = append(b, notify)
	b = appendText(b, e.Path)
	b = appendText(b, e.Metadata)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Skipped)))
	for _, s := range e.Skipped {
		b = appendText(b, s)
	}
	b = appendText(b, string(e.Filter))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Profile)))
	b = binary.BigEndian.AppendUint64(b, sum(b))
	return append(b, e.Profile...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func sum(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// errDamaged is the cause of every error of Decode.
var errDamaged = errors.New("damaged")

// Decode decodes an entry. Anything that Encode would not return is an error that says what is wrong. The entry shares
// b's memory.
func Decode(b []byte) (*Entry, error) {
	d := decoder{b: b}
	if string(d.take(len(magic))) != magic {
		return nil, fmt.Errorf("%w: it does not begin like an entry of this version", errDamaged)
	}
	e := &Entry{Compiler: d.text(), Flags: d.number()}
	notify := d.take(1)
	e.Path, e.Metadata = d.text(), d.text()
	names := d.number()
	if names > maxNames {
		return nil, fmt.Errorf("%w: %d names", errDamaged, names)
	}
	for range names {
		if d.short {
			break
		}
		e.Skipped = append(e.Skipped, d.text())
	}
	e.Filter = d.take(int(d.number()))
	profile := d.number()
	end := len(b) - len(d.b)
	checksum := d.take(sumSize)
	e.Profile = d.take(int(profile))
	switch {
	case d.short:
		return nil, fmt.Errorf("%w: it is cut short", errDamaged)
	case len(d.b) > 0:
		return nil, fmt.Errorf("%w: %d bytes follow its end", errDamaged, len(d.b))
	case binary.BigEndian.Uint64(checksum) != sum(b[:end]):
		return nil, fmt.Errorf("%w: its checksum is wrong", errDamaged)
	case notify[0] > 1:
		return nil, fmt.Errorf("%w: a flag is %d", errDamaged, notify[0])
	case len(e.Filter) == 0 || len(e.Filter)%8 != 0 || len(e.Filter) > maxFilter:
		return nil, fmt.Errorf("%w: a filter of %d bytes", errDamaged, len(e.Filter))
	}
	e.Notify = notify[0] == 1
	return e, nil
}

// decoder splits an entry. After the first missing piece it only returns zeros, and short is set.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if d.short || n < 0 || n > len(d.b) {
		d.short = true
		return make([]byte, min(max(n, 0), sumSize))
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) number() uint32 { return binary.BigEndian.Uint32(d.take(4)) }

func (d *decoder) text() string {
	n := d.number()
	if int64(n) > int64(len(d.b)) {
		d.short = true
		return ""
	}
	return string(d.take(int(n)))
}
