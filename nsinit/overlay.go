package nsinit

import "strings"

// layerOptions returns the options of an overlay with its layers one by one, as lowerdir+ and datadir+ in place of
// lowerdir. Linux 6.7 and later take them, and then all options together may be longer than a page (overlayfs.rst).
// Each value is taken literally, so the escapes of lowerdir are removed.
func layerOptions(data []string) []string {
	var out []string
	for _, d := range data {
		layers, ok := strings.CutPrefix(d, "lowerdir=")
		if !ok {
			out = append(out, d)
			continue
		}
		key := "lowerdir+="
		var layer strings.Builder
		add := func() {
			if layer.Len() > 0 {
				out = append(out, key+layer.String())
			}
			layer.Reset()
		}
		for i := 0; i < len(layers); i++ {
			switch c := layers[i]; {
			case c == '\\' && i+1 < len(layers):
				i++
				layer.WriteByte(layers[i])
			case c == ':':
				add()
				if i+1 < len(layers) && layers[i+1] == ':' {
					key = "datadir+="
					i++
				}
			default:
				layer.WriteByte(c)
			}
		}
		add()
	}
	return out
}

// escapeCommas escapes the commas in the paths of an overlay, for options that are one text separated by commas.
func escapeCommas(data []string) []string {
	out := make([]string, 0, len(data))
	for _, d := range data {
		var b strings.Builder
		for i := 0; i < len(d); i++ {
			switch {
			case d[i] == '\\' && i+1 < len(d):
				b.WriteByte(d[i])
				i++
			case d[i] == ',':
				b.WriteByte('\\')
			}
			b.WriteByte(d[i])
		}
		out = append(out, b.String())
	}
	return out
}
