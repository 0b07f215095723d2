package interpreter

import (
	"bytes"
	"encoding/binary"
)

// headSize is how many bytes of a file execve(2) reads to find out its format, BINPRM_BUF_SIZE in
// <linux/binfmts.h>.
const headSize = 256

// fromScript returns the interpreter that a script's first line names, without its argument. It returns "" if head
// is not the beginning of a script.
func fromScript(head []byte) string {
	line, found := bytes.CutPrefix(head, []byte("#!"))
	if !found {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	line = bytes.TrimLeft(line, " \t")
	if i := bytes.IndexAny(line, " \t\x00"); i >= 0 {
		line = line[:i]
	}
	return string(line)
}

// programTable is the location of the program header table of an ELF file, elf(5).
type programTable struct {
	order  binary.ByteOrder
	wide   bool  // ELFCLASS64
	offset int64 // in the file, in bytes
	entry  int   // size of an entry, in bytes
	count  int
}

// The sizes of an entry of the program header table, elf(5).
const entrySize32, entrySize64 = 32, 56

// elfTable reads the ELF header. ok is false if head is not the beginning of an ELF file.
func elfTable(head []byte) (t programTable, ok bool) {
	if len(head) < 64 || string(head[:4]) != "\x7fELF" {
		return t, false
	}
	t.wide = head[4] == 2
	t.order = binary.LittleEndian
	if head[5] == 2 {
		t.order = binary.BigEndian
	}
	least := entrySize32
	if t.wide {
		least = entrySize64
		t.offset = int64(t.order.Uint64(head[32:]))
		t.entry, t.count = int(t.order.Uint16(head[54:])), int(t.order.Uint16(head[56:]))
	} else {
		t.offset = int64(t.order.Uint32(head[28:]))
		t.entry, t.count = int(t.order.Uint16(head[42:])), int(t.order.Uint16(head[44:]))
	}
	return t, t.offset > 0 && t.entry >= least
}

// segment returns where the file names its loader (PT_INTERP). ok is false if this entry of the table is for
// something else.
func (t *programTable) segment(entry []byte) (offset, size int64, ok bool) {
	const ptInterp = 3
	if t.order.Uint32(entry) != ptInterp {
		return 0, 0, false
	}
	if t.wide {
		return int64(t.order.Uint64(entry[8:])), int64(t.order.Uint64(entry[32:])), true
	}
	return int64(t.order.Uint32(entry[4:])), int64(t.order.Uint32(entry[16:])), true
}
