package nsinit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLayerOptions(t *testing.T) {
	got := layerOptions([]string{"upperdir=/u", `lowerdir=/a:/b\:c:/d\\e,f::/data::/more`, "volatile"})
	want := []string{"upperdir=/u", "lowerdir+=/a", "lowerdir+=/b:c", `lowerdir+=/d\e,f`, "datadir+=/data",
		"datadir+=/more", "volatile"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`lowerdir=/a\,b\,c\\\,d\`, "ro"}, escapeCommas([]string{`lowerdir=/a,b\,c\\,d\`,
		"ro"})); diff != "" {
		t.Error(diff)
	}
}
