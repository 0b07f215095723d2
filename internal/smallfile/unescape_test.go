package smallfile_test

import (
	"testing"

	"github.com/handfast/handfast/internal/smallfile"
)

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b":                "/a/b",
		`/with\040space`:      "/with space",
		`/tab\011\012newline`: "/tab\t\nnewline",
		`\134040`:             `\040`, // what follows an escape is not read again
		`/not\09octal`:        `/not\09octal`,
		`/beyond\777`:         `/beyond\777`,
		`/short\04`:           `/short\04`,
		`/bytes\303\251`:      "/bytesé",
		"":                    "",
	} {
		if got := smallfile.Unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
