package interpreter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// program returns an ELF file with one PT_INTERP that names loader.
func program(order binary.ByteOrder, wide bool, loader string) []byte {
	const table = 64
	b := make([]byte, 256+len(loader)+1)
	copy(b, "\x7fELF")
	b[4], b[5] = 1, 1
	if order == binary.ByteOrder(binary.BigEndian) {
		b[5] = 2
	}
	copy(b[256:], loader)
	if !wide {
		order.PutUint32(b[28:], table)
		order.PutUint16(b[42:], entrySize32)
		order.PutUint16(b[44:], 2)
		e := b[table+entrySize32:]
		order.PutUint32(e, 3)
		order.PutUint32(e[4:], 256)
		order.PutUint32(e[16:], uint32(len(loader)+1))
		return b
	}
	b[4] = 2
	order.PutUint64(b[32:], table)
	order.PutUint16(b[54:], entrySize64)
	order.PutUint16(b[56:], 2)
	e := b[table+entrySize64:]
	order.PutUint32(e, 3)
	order.PutUint64(e[8:], 256)
	order.PutUint64(e[32:], uint64(len(loader)+1))
	return b
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inner := write("inner", []byte("#! /no/such/sh -e\n"))
	loop := filepath.Join(dir, "loop")
	write("loop", []byte("#!"+loop+"\n"))
	for _, c := range []struct {
		name    string
		content []byte
		want    Missing
	}{
		{"script", []byte("#!/no/such/sh\necho\n"), Missing{Path: "/no/such/sh"}},
		{"with an argument", []byte("#! \t/no/such/env bash\n"), Missing{Path: "/no/such/env"}},
		{"of another system", []byte("#!/bin/sh\r\necho\n"), Missing{Path: "/bin/sh\r"}},
		{"without a newline", []byte("#!/no/such/sh"), Missing{Path: "/no/such/sh"}},
		{"script of a script", []byte("#!" + inner + "\n"), Missing{Path: "/no/such/sh"}},
		{"that works", []byte("#!/bin/sh\n"), Missing{}},
		{"its own interpreter", []byte("#!" + loop + "\n"), Missing{}},
		{"empty", nil, Missing{}},
		{"only the mark", []byte("#!"), Missing{}},
		{"text", []byte("hello\n"), Missing{}},
		{"elf64", program(binary.LittleEndian, true, "/no/ld64"), Missing{"/no/ld64", true}},
		{"elf64 msb", program(binary.BigEndian, true, "/no/ld64"), Missing{"/no/ld64", true}},
		{"elf32", program(binary.LittleEndian, false, "/no/ld32"), Missing{"/no/ld32", true}},
		{"elf32 msb", program(binary.BigEndian, false, "/no/ld32"), Missing{"/no/ld32", true}},
		{"elf cut short", program(binary.LittleEndian, true, "/no/ld64")[:70], Missing{}},
	} {
		got := Find(write(strings.ReplaceAll(c.name, " ", "-"), c.content))
		switch {
		case got == nil && c.want != Missing{}:
			t.Errorf("%s: found nothing, want %v", c.name, c.want)
		case got != nil && *got != c.want:
			t.Errorf("%s: found %v, want %v", c.name, *got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "run.sh")
	if err := os.WriteFile(script, []byte("#!/no/such/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := Explain(unix.ENOENT, script)
	want := "no such file or directory: its interpreter /no/such/sh does not exist"
	if !errors.Is(err, unix.ENOENT) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, same := range []error{unix.EACCES, nil, exec.ErrNotFound} {
		if err := Explain(same, script); err != same {
			t.Errorf("%v became %v", same, err)
		}
	}
	if err := Explain(unix.ENOENT, dir+"/missing"); err != unix.ENOENT {
		t.Errorf("a file that is missing: %v", err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o777); err != nil {
		t.Fatal(err)
	}
	if m := Find(fifo); m != nil {
		t.Errorf("a FIFO lacks %v", m)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("#!/bin/sh -e\n"))
	f.Add(program(binary.LittleEndian, true, "/lib64/ld.so"))
	f.Add(program(binary.BigEndian, false, "/lib/ld.so"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if s := fromScript(head); strings.ContainsAny(s, " \t\n\x00") || !bytes.Contains(head, []byte(s)) {
			t.Errorf("interpreter %q", s)
		}
		if table, ok := elfTable(head); ok {
			table.segment(make([]byte, entrySize64))
		}
	})
}
