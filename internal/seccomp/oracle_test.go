package seccomp

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A helper is a running program of test/seccomp-oracle, with one line per request and per reply over a pipe.
type helper struct {
	t   testing.TB
	in  *bufio.Writer
	out *bufio.Reader
}

// An oracle is oracle.c, which calls libseccomp.
type oracle struct {
	*helper
	// agrees caches for which names both sides have the same number; see withoutUnknownNames.
	agrees map[archName]bool
}

type archName struct {
	arch Arch
	name string
}

func startOracle(t testing.TB) *oracle {
	t.Helper()
	return &oracle{startHelper(t, "oracle", "-lseccomp"), make(map[archName]bool)}
}

// startHelper builds a program of test/seccomp-oracle and runs it until the end of the test.
func startHelper(t testing.TB, name string, libraries ...string) *helper {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	build := exec.Command("gcc", append([]string{"-O1", "-o", binary, "../../test/seccomp-oracle/" + name + ".c"},
		libraries...)...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s\nthe test needs Debian's gcc, libc6-dev and libseccomp-dev", build, err, out)
	}
	cmd := exec.Command(binary)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v: %s", name, err, stderr.String())
		}
	})
	return &helper{t, bufio.NewWriterSize(in, 1<<16), bufio.NewReaderSize(out, 1<<20)}
}

// request sends a request and returns the reply.
func (h *helper) request(format string, args ...any) string {
	h.t.Helper()
	fmt.Fprintf(h.in, format+"\n", args...)
	if err := h.in.Flush(); err != nil {
		h.t.Fatalf("helper: %v", err)
	}
	line, err := h.out.ReadString('\n')
	if err != nil {
		h.t.Fatalf("helper: %v", err)
	}
	return strings.TrimSpace(line)
}

// scmpArch returns libseccomp's token of an architecture: the audit number, except for x32.
func scmpArch(a Arch) uint32 {
	if a == X32 {
		return 62 | auditLE
	}
	return a.AuditArch()
}

// resolve returns the number of a call in libseccomp. ok is false if none of its tables has the name.
func (o *oracle) resolve(a Arch, name string) (number int, ok bool) {
	reply := o.request("resolve %#x %s", scmpArch(a), name)
	if reply == "unknown" {
		return 0, false
	}
	if _, err := fmt.Sscanf(reply, "number %d", &number); err != nil {
		o.t.Fatalf("oracle: %q", reply)
	}
	return number, true
}

// compile returns libseccomp's program for a profile. If libseccomp makes none, refused is its error, with the errno.
func (o *oracle) compile(p *Profile, host Arch, optimize int) (filter []Instruction, refused string) {
	fmt.Fprintf(o.in, "begin %#x %#x %d\n", scmpArch(host), uint32(p.Default), optimize)
	for _, arch := range p.Architectures {
		fmt.Fprintf(o.in, "arch %#x\n", scmpArch(arch))
	}
	for _, r := range p.Rules {
		for _, name := range r.Names {
			fmt.Fprintf(o.in, "rule %#x %s", uint32(r.Action), name)
			for _, c := range r.Args {
				first, second := c.Value, uint64(0)
				if c.Op == MaskedEqual {
					first, second = c.Mask, c.Value
				}
				fmt.Fprintf(o.in, " %d %d %#x %#x", c.Index, c.Op, first, second)
			}
			fmt.Fprintln(o.in)
		}
	}
	reply := o.request("end")
	text, ok := strings.CutPrefix(reply, "program ")
	if !ok {
		return nil, reply
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%8 != 0 {
		o.t.Fatalf("oracle: %q: %v", reply, err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if archs[host].big {
		order = binary.BigEndian
	}
	for ; len(raw) > 0; raw = raw[8:] {
		filter = append(filter, Instruction{order.Uint16(raw), raw[2], raw[3], order.Uint32(raw[4:])})
	}
	return filter, ""
}

// withoutUnknownNames returns the profile without the names that this libseccomp does not know, because it is older
// than the tables.
func (o *oracle) withoutUnknownNames(p *Profile, host Arch) *Profile {
	q := *p
	q.Rules = nil
	for _, r := range p.Rules {
		names := r.Names
		r.Names = nil
		for _, name := range names {
			if o.knows(name, append([]Arch{host, X86_64}, p.Architectures...)) {
				r.Names = append(r.Names, name)
			}
		}
		q.Rules = append(q.Rules, r)
	}
	return &q
}

func (o *oracle) knows(name string, list []Arch) bool {
	if name == "sys_debug_setcontext" {
		// Except on ppc, libseccomp 2.5 confuses it with switch_endian: both are __PNR_ -10191.
		return false
	}
	for _, a := range list {
		key := archName{a, name}
		if _, asked := o.agrees[key]; !asked {
			theirs, ok := o.resolve(a, name)
			ours, exists := a.Number(name)
			o.agrees[key] = ok == (findName(name) >= 0) && (!ok || theirs < 0 || exists && uint32(theirs) == ours) &&
				(theirs >= 0 || !exists || multiplexCalls[findName(name)] != 0)
		}
		if !o.agrees[key] {
			return false
		}
	}
	return true
}
