package seccomp

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Instruction is an instruction of classic BPF: struct sock_filter of linux/filter.h.
type Instruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

// Program is a filter that seccomp(2) loads.
//
// The caller that loads it adds the flags that are not in Flags: SECCOMP_FILTER_FLAG_NEW_LISTENER, which is needed if
// Notify is set, and SECCOMP_FILTER_FLAG_TSYNC, if other threads than the calling one need the filter.
type Program struct {
	Filter []Instruction
	// Flags are SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW and _WAIT_KILLABLE_RECV, as in the profile.
	Flags  uint32
	Notify bool // a rule has the action SCMP_ACT_NOTIFY
	// ListenerPath and ListenerMetadata are the profile's.
	ListenerPath, ListenerMetadata string
	// Skipped lists the system calls that no architecture has, each once, in the order of the profile.
	Skipped []string
	// Host is the architecture that the program was compiled for. It has its byte order, and CheckTail looks for its
	// system calls.
	Host Arch
}

// Compile returns the program of a profile, for a kernel of the given architecture (see [HostArch]). That architecture
// counts as listed; calls of others that the profile does not list kill the thread. For a nil profile it returns nil
// without an error. Errors are of type *[Error].
func Compile(p *Profile, host Arch) (*Program, error) {
	if p == nil {
		return nil, nil
	}
	root, tables, err := p.tree(host)
	if err != nil {
		return nil, err
	}
	filter, err := assemble(root)
	if err != nil {
		return nil, p.tooLong(tables, host)
	}
	return &Program{
		Filter: filter, Flags: p.Flags, Notify: p.Notify, ListenerPath: p.ListenerPath,
		ListenerMetadata: p.ListenerMetadata, Skipped: p.skipped(), Host: host,
	}, nil
}

// tree builds stages 2 and 3.
func (p *Profile) tree(host Arch) (*node, []*table, error) {
	list, err := p.architectures(host)
	if err != nil {
		return nil, nil, err
	}
	indexes := p.indexes()
	var tables []*table
	for _, arch := range list {
		t, err := buildTable(p, arch, indexes)
		if err != nil {
			return nil, nil, err
		}
		tables = append(tables, t)
	}
	b := new(builder)
	root := b.leaf(KillThread) // for calls of an architecture that is not listed
	for _, group := range slices.Backward(groups(tables)) {
		test := test{offsetArch, jumpEqual, ^uint32(0), archs[group[0].arch].audit}
		root = b.decide(test, b.search(b.mergeTables(p, group, host)), root)
	}
	if b.full {
		return nil, nil, p.tooLong(tables, host)
	}
	return root, tables, nil
}

// indexes returns the indexes of the rules' names.
func (p *Profile) indexes() [][]int {
	indexes := make([][]int, len(p.Rules))
	for i := range p.Rules {
		indexes[i] = make([]int, len(p.Rules[i].Names))
		for j, name := range p.Rules[i].Names {
			indexes[i][j] = findName(name)
		}
	}
	return indexes
}

// architectures returns the host's architecture and the profile's, the host's first.
func (p *Profile) architectures(host Arch) ([]Arch, error) {
	if !host.valid() {
		return nil, newError("", "this machine's architecture is none that profiles have a name for")
	}
	list := []Arch{host}
	for i, arch := range p.Architectures {
		if archs[arch].big != archs[host].big {
			return nil, newError(fmt.Sprintf(".architectures[%d]", i),
				"%s has another byte order than this machine, which is %s",
				arch, host)
		}
		if !slices.Contains(list, arch) {
			list = append(list, arch)
		}
	}
	return list, nil
}

// groups groups the tables by audit number.
func groups(tables []*table) [][]*table {
	var list [][]*table
next:
	for _, t := range tables {
		for i := range list {
			if archs[list[i][0].arch].audit == archs[t.arch].audit {
				list[i] = append(list[i], t)
				continue next
			}
		}
		list = append(list, []*table{t})
	}
	return list
}

// tooLong returns an error with the rule that needs the most instructions.
func (p *Profile) tooLong(tables []*table, host Arch) error {
	worst, most, name := int32(0), -1, ""
	for _, t := range tables {
		for number := range t.verdicts {
			v := &t.verdicts[number]
			if v.chain == nil {
				continue
			}
			b := new(builder)
			b.verdictNode(v, b.leaf(p.Default), archs[t.arch].big)
			if len(b.nodes) > most {
				worst, most, name = v.rule-1, len(b.nodes), t.arch.Name(t.arch.callNumber(int16(number)))
			}
		}
	}
	if most < 0 {
		return newError(".syscalls",
			"the program for %s would be longer than the %d instructions that the kernel takes: want fewer "+
				"architectures, or fewer calls with an action of their own", host, maxInstructions)
	}
	return newError(fmt.Sprintf(".syscalls[%d]", worst),
		"the program for %s would be longer than the %d instructions that the "+
			"kernel takes; the rules of %s need the most, %d comparisons: want fewer or simpler conditions", host,
		maxInstructions, name, most)
}

// skipped returns the names that no architecture has.
func (p *Profile) skipped() []string {
	var list []string
	for i := range p.Rules {
		for _, name := range p.Rules[i].Names {
			if findName(name) < 0 && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// Bytes returns the program in the form that the kernel reads: an array of struct sock_filter in the host's byte order.
func (p *Program) Bytes() []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if archs[p.Host].big {
		order = binary.BigEndian
	}
	out := make([]byte, 0, 8*len(p.Filter))
	for _, in := range p.Filter {
		out = order.AppendUint16(out, in.Code)
		out = append(out, in.JT, in.JF)
		out = order.AppendUint32(out, in.K)
	}
	return out
}
