// Package filtercache keeps compiled filters of system calls in files: those that were compiled lately, so that most
// containers start without compiling one, and that of each container, for the processes that join it.
//
// What an entry is, and whether it is the one that is wanted, is decided in entry.go, purely; dir.go reads and writes.
// Nothing that is found is believed: a directory or file that others could have written is left alone, and an entry
// must be whole, and hold the very profile that is asked for, byte by byte, and the mark of the very program that
// compiled it. What fails any of this is not there.
package filtercache
