package lifecycle

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListening(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		n    int
		want []string
		err  error
	}{
		"no manager":      {},
		"somebody else's": {env: map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": "8"}},
		"nobody's":        {env: map[string]string{"LISTEN_FDS": "2"}},
		"none":            {env: map[string]string{"LISTEN_FDS": "0", "LISTEN_PID": "7"}},
		"two": {env: map[string]string{"LISTEN_FDS": "2", "LISTEN_PID": "7"}, n: 2,
			want: []string{"LISTEN_FDS=2", "LISTEN_PID=1"}},
		"named": {env: map[string]string{"LISTEN_FDS": "1", "LISTEN_PID": "7", "LISTEN_FDNAMES": "web"}, n: 1,
			want: []string{"LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_FDNAMES=web"}},
		"no number": {env: map[string]string{"LISTEN_FDS": "x", "LISTEN_PID": "7"}, err: unix.EINVAL},
		"negative":  {env: map[string]string{"LISTEN_FDS": "-1", "LISTEN_PID": "7"}, err: unix.EINVAL},
	} {
		n, env, err := listening(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }, 7)
		if n != c.n || !slices.Equal(env, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: %d, %q, %v", name, n, env, err)
		}
	}
}
