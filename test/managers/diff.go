package main

// A change is a line that only one of two outputs has.
type change struct {
	candidate bool // of handfast's output, not of the control's
	text      string
}

func (c change) String() string {
	if c.candidate {
		return "+ " + c.text
	}
	return "- " + c.text
}

// diff returns the changes from a to b, in order: what is outside of a longest common subsequence.
func diff(a, b []string) (changes []change) {
	// common[i][j] is the length of that of a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			changes = append(changes, change{text: a[i]})
			i++
		default:
			changes = append(changes, change{candidate: true, text: b[j]})
			j++
		}
	}
	return changes
}
