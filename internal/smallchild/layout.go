package smallchild

// Addresses in the small child. child_amd64.s repeats them.
const (
	imageBase  = 0x400000
	constants  = 0x400100
	memoryBase = 0x10000000
	memorySize = 0x400000
	configBase = 0x10020000
	textBase   = configBase + 3 // behind the header of a value of bytes in MessagePack (form with a length of 16 bits)
	scratch    = 0x10060000
	registers  = memoryBase

	// MaxProgram is the maximum length of a program in bytes.
	MaxProgram = 0xffff - 3
)
