// Package smallchild contains a child of a few kilobytes: a static program without a runtime of its own. If the
// configuration allows it, the small child becomes the first process of a container or a process that joins a
// container.
//
// A Go program that is about to be replaced by another one costs some 500 page faults, several threads and their
// end. But once its work is planned, what a child does for a container is a list of system calls with a few
// branches, and no Go program is needed to carry it out. So the parent makes the list, from the same plan that a
// whole child follows (package nsinit), and the small child is an interpreter for it: some 4 KiB of machine code,
// without a decoder, an allocator, or any of the host's memory.
//
// The small child speaks as much of the protocol of docs/protocol.md as its parent uses with it. The greeting agrees
// on the form of its configuration by the name of the codec (CodecName): CONFIG is one value of bytes, the program.
// Everything else is MessagePack. It is no child for other parents: it decodes no other configuration, ends at a
// frame that it does not expect, even a SKIPPABLE one, and waits for its parent without a deadline, until that has
// ended. Only a process that connects to the start gate has to speak within seconds. It leaves signals as they are: who
// makes it must not let it inherit any that is ignored or blocked (package rawfork).
//
// A program is a value: its methods build it (Program), it prints one instruction per line, and it is verified
// before it leaves the parent (Verify): registers are set before they are used, jumps go forward, or back to the next
// name in a directory, all addresses belong to the program, and what an instruction or a system call reads or writes
// there fits. The small child checks the frames that it receives and the length of the program, and trusts the rest.
//
// Interpret says in Go what each instruction does. Tests run the same programs in machine code and in Interpret, and
// compare what they send, their output, their end and the files that they leave.
//
// # What it cannot do
//
// If something happens for which the program has no branch, the small child sends an ERROR with the code "config",
// which gives the instruction and the errno, and ends. If by then the parent has not carried out a request that
// changes anything, another attempt finds or makes everything again. So the parent starts a whole child, which does
// what is needed, or says in its own words why it cannot. After such a request the parent finds the words itself
// (Program.Explain). Behind a start gate, where the parent may be gone, the program contains the text of each error.
//
// There is machine code for amd64 and arm64; other architectures and instrumented builds have no small child
// (Available). A program is for one architecture: it has the numbers of its system calls, and of their flags.
package smallchild
