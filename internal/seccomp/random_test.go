package seccomp

import (
	"math/rand/v2"
	"slices"
)

// randomProfile generates a profile with few or many rules, about one call or hundreds, with conditions that overlap,
// contain and contradict each other.
func randomProfile(random *rand.Rand, arches []Arch) *Profile {
	p := &Profile{Default: randomAction(random, true)}
	for _, a := range arches {
		if random.IntN(2) == 0 {
			p.Architectures = append(p.Architectures, a)
		}
	}
	actions := []Action{randomAction(random, false)}
	for range random.IntN(3) {
		actions = append(actions, randomAction(random, false))
	}
	names := randomNames(random, 1+random.IntN(4))
	numbers := randomNumbers(random, 1+random.IntN(5))
	for range 1 + random.IntN(8) {
		r := Rule{Action: actions[random.IntN(len(actions))]}
		switch random.IntN(40) {
		case 0: // Many calls, and no condition.
			r.Names = randomNames(random, 1+random.IntN(150))
		case 1, 2, 3, 4:
			r.Names = names
		default:
			r.Names = []string{names[random.IntN(len(names))]}
		}
		if random.IntN(8) != 0 && len(r.Names) < 10 {
			for range 1 + random.IntN(3) {
				c := randomCondition(random, numbers)
				if !slices.ContainsFunc(r.Args, func(other Condition) bool { return other.Index == c.Index }) ||
					random.IntN(8) == 0 {
					r.Args = append(r.Args, c)
				}
			}
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

func randomAction(random *rand.Rand, asDefault bool) Action {
	list := []Action{KillThread, KillProcess, Trap, Errno | 1, Errno | 38, Errno | Action(random.IntN(4096)), Trace | 7,
		Log, Allow,
		Allow, Allow, UserNotify}
	if asDefault {
		list = append(list[:len(list)-1], Errno|1, Errno|1, Errno|38, Errno|13)
	}
	return list[random.IntN(len(list))]
}

func randomNames(random *rand.Rand, n int) []string {
	multiplexed := []string{"socket", "bind", "accept4", "semop", "shmat", "recv", "socketcall", "ipc", "msgget"}
	var names []string
	for range n {
		if n < 10 && random.IntN(4) == 0 {
			names = append(names, multiplexed[random.IntN(len(multiplexed))])
		} else {
			names = append(names, nameAt(random.IntN(nameCount)))
		}
	}
	return names
}

// randomNumbers returns only a few numbers, so that rules share them: with the same upper half and others, and with
// single bits.
func randomNumbers(random *rand.Rand, n int) []uint64 {
	list := []uint64{0, 1, 5, 1 << 32, ^uint64(0), 0xffffffff, 1<<32 + 5}
	for range n {
		v := random.Uint64() >> random.IntN(64)
		list = append(list, v, v+1, v^1<<32, 1<<random.IntN(64))
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n]
}

func randomCondition(random *rand.Rand, numbers []uint64) Condition {
	c := Condition{
		Index: []int{0, 0, 0, 1, 1, 2, 5}[random.IntN(7)],
		Op:    NotEqual + Op(random.IntN(int(MaskedEqual))),
		Value: numbers[random.IntN(len(numbers))],
		Mask:  ^uint64(0),
	}
	if c.Op == MaskedEqual {
		c.Mask = numbers[random.IntN(len(numbers))]
		if random.IntN(2) == 0 {
			c.Value = 0
		}
	}
	return c
}
