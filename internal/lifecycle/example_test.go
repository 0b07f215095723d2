package lifecycle_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/handfast/handfast/internal/lifecycle"
	"github.com/handfast/handfast/internal/oci/state"
)

func ExampleParseSignal() {
	for _, text := range []string{"TERM", "SIGUSR1", "9", "RTMIN+3"} {
		sig, err := lifecycle.ParseSignal(text)
		fmt.Println(int(sig), err)
	}
	// Output:
	// 15 <nil>
	// 10 <nil>
	// 9 <nil>
	// 37 <nil>
}

func ExampleTable() {
	fmt.Print(lifecycle.Table([]state.OCI{{
		ID: "web", PID: 4711, Status: state.Running, Bundle: "/srv/web", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Owner: "root",
	}}))
	// Output:
	// ID          PID         STATUS      BUNDLE      CREATED                OWNER
	// web         4711        running     /srv/web    2026-01-02T03:04:05Z   root
}

func ExampleJoin() {
	fmt.Println(lifecycle.Join(errors.New("the hook failed"), nil, errors.New("the group is busy")))
	// Output: the hook failed; and the group is busy
}

func ExampleRuntime_List() {
	r := lifecycle.Runtime{Root: "/nonexistent"}
	all, err := r.List()
	fmt.Print(lifecycle.JSON(all), err)
	// Output:
	// []
	// <nil>
}
