package state_test

import (
	"fmt"
	"os"

	"github.com/handfast/handfast/internal/oci/state"
)

// The state of a container is stored before any part of the container is created, and again when it is complete.
func ExampleStore_Create() {
	root, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(root)
	store := state.New(root)
	s := &state.State{ID: "c1", Creating: true}
	dir, err := store.Create(s)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dir.Close()
	_, err = store.Create(&state.State{ID: "c1"})
	fmt.Println(err)
	s.Creating, s.PID = false, os.Getpid()
	s.StartTime, _, _ = state.ProcessStart(s.PID)
	if err := dir.Save(s); err != nil {
		fmt.Println(err)
		return
	}
	facts, err := store.Observe(s)
	fmt.Println(facts.Status(), err)
	// Output:
	// container c1: container with given ID already exists
	// running <nil>
}
