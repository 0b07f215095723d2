package metricstest

import "testing"

const good = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds What \\\"it\\\" is.\n" +
	"a_seconds_total{b=\"c\",d=\"\\\\\\\"\\n{},\"} 1.5e+03\na_seconds_total{b=\"d\"} 0\n" +
	"# TYPE g gauge\n# HELP g G.\ng -1\n# EOF\n"

// TestCheck: what is right passes, and each rule finds what breaks it.
func TestCheck(t *testing.T) {
	samples, err := Check(good)
	if err != nil || len(samples) != 3 || samples[`a_seconds_total{b="c",d="\\\"\n{},"}`] != 1500 || samples["g"] != -1 {
		t.Fatalf("%v, %v", samples, err)
	}
	if _, err := Check("# EOF\n"); err != nil {
		t.Error(err)
	}
	const head, eof = "# TYPE g gauge\n# HELP g G.\n", "# EOF\n"
	for name, text := range map[string]string{
		"no end":                 head + "g 1\n",
		"something after it":     head + "g 1\n" + eof + "\n",
		"an empty line":          head + "\ng 1\n" + eof,
		"carriage returns":       "# TYPE g gauge\r\n# HELP g G.\ng 1\n" + eof,
		"no UTF-8":               head + "g{a=\"\xff\"} 1\n" + eof,
		"a family in two pieces": head + "g 1\n# TYPE h gauge\n# HELP h H.\nh 1\n# HELP g G.\n" + eof,
		"metadata twice":         head + "# HELP g G.\ng 1\n" + eof,
		"metadata after samples": "# TYPE g gauge\ng 1\n# HELP g G.\n" + eof,
		"no type":                "# HELP g G.\ng 1\n" + eof,
		"no help":                "# TYPE g gauge\ng 1\n" + eof,
		"no samples":             head + eof,
		"an unknown type":        "# TYPE g number\n# HELP g G.\ng 1\n" + eof,
		"an unknown keyword":     "# KIND g gauge\n" + eof,
		"a wrong unit":           head + "# UNIT g seconds\ng 1\n" + eof,
		"no unit":                "# TYPE g_bytes gauge\n# HELP g_bytes G.\ng_bytes 1\n" + eof,
		"a reserved name":        "# TYPE g_total gauge\n# HELP g_total G.\ng_total 1\n" + eof,
		"a counter without end":  "# TYPE g counter\n# HELP g G.\ng 1\n" + eof,
		"a negative counter":     "# TYPE g counter\n# HELP g G.\ng_total -1\n" + eof,
		"another family":         head + "h 1\n" + eof,
		"no family":              "h 1\n" + eof,
		"no value":               head + "g\n" + eof,
		"no number":              head + "g x\n" + eof,
		"a hexadecimal number":   head + "g 0x10\n" + eof,
		"two blanks":             head + "g  1\n" + eof,
		"a bad name":             "# TYPE 1g gauge\n" + eof,
		"a bad label":            head + "g{1=\"x\"} 1\n" + eof,
		"a label twice":          head + "g{a=\"x\",a=\"y\"} 1\n" + eof,
		"an open label":          head + "g{a=\"x 1\n" + eof,
		"an open list":           head + "g{a=\"x\" 1\n" + eof,
		"an unknown escape":      head + "g{a=\"\\t\"} 1\n" + eof,
		"the same series twice":  head + "g{a=\"x\"} 1\ng{a=\"x\"} 1\n" + eof,
	} {
		if _, err := Check(text); err == nil {
			t.Errorf("%s: nothing is found", name)
		}
	}
}
