package nsinit

import "strings"

// layerOptions are the options of an overlay with its layers one by one, lowerdir+ and datadir+ in place of lowerdir,
// as Linux 6.7 and later take them: all together they may be longer than a page then (overlayfs.rst). Each is taken as
// it stands, so what lowerdir has to escape is not escaped here.
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

// escapeCommas lets a path of an overlay hold a comma where options are one text that commas separate.
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
