package lifecycle

import (
	"github.com/handfast/handfast/internal/account"
	"github.com/handfast/handfast/nsinit"
	"github.com/handfast/handfast/spawn"
	"github.com/handfast/handfast/syncproto/transport"
)

// The phases of a command's work, in the words that a user reads in traces, log lines and lines of progress.
const (
	phaseFind       = "find the container"
	phaseRead       = "read the configuration"
	phaseDecide     = "decide what it means"
	phaseState      = "write the state"
	phaseMakeGroup  = "make the group"
	phaseClone      = "clone the child"
	phaseLimits     = "set the limits"
	phaseSetUp      = "set the container up"
	phaseJoin       = "join the container"
	phaseGate       = "open the gate"
	phaseExecute    = "execute the program"
	phaseRun        = "run the program"
	phaseReadiness  = "await readiness"
	phaseSignal     = "send the signal"
	phaseFreeze     = "freeze the processes"
	phaseThaw       = "thaw the processes"
	phaseSave       = "save the processes"
	phaseRestore    = "restore the processes"
	phaseEnd        = "end the processes"
	phaseLeaveGroup = "remove the group"
	phaseLeaveState = "remove the state"
)

// phaseHooks returns the phase in which hooks of one kind run.
func phaseHooks(kind string) string { return "run the " + kind + " hooks" }

// enter begins a phase of the command, and ends the one before. Without a recorder that is a nil check.
func (r *Runtime) enter(phase string) {
	r.Log.Enter(phase)
	r.Recorder.Enter(phase)
}

// traceConversation returns the function that spawn calls for each event of a conversation. A trace that cannot be
// written does not end the container.
func (r *Runtime) traceConversation() func(transport.Event) {
	return account.Trace(r.Recorder.Conversation())
}

// compiler returns the compiler that makes the program of a small child. It returns nil if the command is recorded,
// because the reader of a transcript wants to see the configuration, and not a program made from it.
func (r *Runtime) compiler() spawn.Compiler {
	if r.Recorder != nil {
		return nil
	}
	return nsinit.Compile
}
