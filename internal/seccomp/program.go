package seccomp

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Instruction is one instruction of classic BPF: struct sock_filter of linux/filter.h.
type Instruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
}

// Program is a filter that seccomp(2) loads.
//
// Who loads it decides about the flags that are not in Flags: SECCOMP_FILTER_FLAG_NEW_LISTENER is needed where Notify
// is set, and SECCOMP_FILTER_FLAG_TSYNC where threads other than the calling one shall have the filter.
type Program struct {
	Filter []Instruction
	// Flags are SECCOMP_FILTER_FLAG_LOG, _SPEC_ALLOW and _WAIT_KILLABLE_RECV, as in the profile.
	Flags  uint32
	Notify bool // a rule's action is SCMP_ACT_NOTIFY
	// ListenerPath and ListenerMetadata are the profile's.
	ListenerPath, ListenerMetadata string
	// Skipped names the system calls that no architecture has, each once, in the profile's order.
	Skipped []string
	// Host is what the program was compiled for: its byte order, and the system calls that CheckTail looks for.
	Host Arch
}

// Compile makes the program of a profile, for a kernel of the given architecture (see [HostArch]), which is always
// among those that the program knows; calls of others that the profile does not list kill the thread. A nil profile
// has no program: nil without an error. Errors are of type *[Error].
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

// tree makes stages 2 and 3.
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
	root := b.leaf(KillThread) // What comes from an architecture that is not listed.
	for _, group := range slices.Backward(groups(tables)) {
		test := test{offsetArch, jumpEqual, ^uint32(0), archs[group[0].arch].audit}
		root = b.decide(test, b.search(b.group(p, group, host)), root)
	}
	if b.full {
		return nil, nil, p.tooLong(tables, host)
	}
	return root, tables, nil
}

// indexes finds the names of the rules.
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

// architectures lists the host's and the profile's, the host's first.
func (p *Profile) architectures(host Arch) ([]Arch, error) {
	if !host.valid() {
		return nil, wrong("", "this machine's architecture is none that profiles have a name for")
	}
	list := []Arch{host}
	for i, arch := range p.Architectures {
		if archs[arch].big != archs[host].big {
			return nil, wrong(fmt.Sprintf(".architectures[%d]", i), "%s has another byte order than this machine, which is %s",
				arch, host)
		}
		if !slices.Contains(list, arch) {
			list = append(list, arch)
		}
	}
	return list, nil
}

// groups joins the tables with the same audit number.
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

// tooLong names the rule that needs the most instructions.
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
		return wrong(".syscalls",
			"the program for %s would be longer than the %d instructions that the kernel takes: want fewer "+
				"architectures, or fewer calls with an action of their own", host, maxInstructions)
	}
	return wrong(fmt.Sprintf(".syscalls[%d]", worst),
		"the program for %s would be longer than the %d instructions that the "+
			"kernel takes; the rules of %s need the most, %d comparisons: want fewer or simpler conditions", host,
		maxInstructions, name, most)
}

// skipped lists the names that no architecture knows.
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

// Bytes is the program as the kernel takes it: an array of struct sock_filter in the host's byte order.
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
