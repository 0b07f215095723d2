package seccomp_test

import (
	"fmt"

	"github.com/handfast/handfast/internal/seccomp"
)

// Parse and compile a profile, and look up a call in it.
func Example() {
	profile, err := seccomp.Parse([]byte(`{
		"defaultAction": "SCMP_ACT_ERRNO",
		"syscalls": [
			{"names": ["execve", "write"], "action": "SCMP_ACT_ALLOW"},
			{"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]}
		]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := seccomp.Compile(profile, seccomp.X86_64)
	if err != nil {
		fmt.Println(err)
		return
	}
	number, _ := seccomp.X86_64.Number("socket")
	call := seccomp.Data{Number: number, AuditArch: seccomp.X86_64.AuditArch(), Args: [6]uint64{40}}
	verdict, err := program.Run(call)
	fmt.Println(verdict.Action, err)
	reason, err := profile.Explain(seccomp.X86_64, call)
	fmt.Println(reason, err)
	fmt.Println(program.CheckTail("execve", "exit_group"))
	// Output:
	// SCMP_ACT_ERRNO(1) <nil>
	// SCMP_ACT_ERRNO(1), by linux.seccomp.defaultAction: the conditions of the rules for it do not hold <nil>
	// seccomp: the profile does not allow exit_group
}
