package seccomp

// nameAt returns the name with the given index.
func nameAt(i int) string {
	start := 0
	if i > 0 {
		start = int(nameEnds[i-1])
	}
	return allNames[start:nameEnds[i]]
}

// findName returns the index of a name, or -1 if no architecture has such a call.
func findName(name string) int {
	low, high := 0, nameCount
	for low < high {
		middle := (low + high) / 2
		if nameAt(middle) < name {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < nameCount && nameAt(low) == name {
		return low
	}
	return -1
}

// callNumber returns the value of seccomp_data.nr for a call with this number in the architecture's table.
func (a Arch) callNumber(table int16) uint32 {
	if a == ARM && table >= armPrivateTable {
		return armPrivate + uint32(table) - armPrivateTable
	}
	return archs[a].base + uint32(table)
}

// Number returns the number of a system call, as in seccomp_data.nr.
func (a Arch) Number(name string) (uint32, bool) {
	i := findName(name)
	if i < 0 || !a.valid() || numbers[archs[a].column][i] < 0 {
		return 0, false
	}
	return a.callNumber(numbers[archs[a].column][i]), true
}

// Name returns the name of the system call with this number, or "" if there is none.
func (a Arch) Name(number uint32) string {
	column := &numbers[archs[a].column]
	for i := range column {
		if column[i] >= 0 && a.callNumber(column[i]) == number {
			return nameAt(i)
		}
	}
	return ""
}
