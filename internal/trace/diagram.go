package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/handfast/handfast/syncproto"
	"github.com/handfast/handfast/syncproto/transcript"
)

// Mermaid returns a sequence diagram for https://mermaid.js.org.
func Mermaid(t *transcript.Transcript) string {
	var b strings.Builder
	b.WriteString("sequenceDiagram\n    participant P as parent\n    participant C as child\n")
	before := ""
	for _, e := range t.Events {
		if at := phaseOrState(e); at != before && e.End == syncproto.Undecided {
			fmt.Fprintf(&b, "    Note over P,C: %s\n", mermaidText(at))
			before = at
		}
		text := mermaidText(label(e))
		switch {
		case e.End == syncproto.Success:
			b.WriteString("    C--xP: end of file: success\n")
		case e.End != syncproto.Undecided:
			fmt.Fprintf(&b, "    Note over P,C: %s\n", text)
		default:
			arrow := "C->>P"
			if t.From(e) == syncproto.Parent {
				arrow = "P->>C"
			}
			if n := e.Header.NFDs; n > 0 {
				text += " +" + strconv.Itoa(int(n)) + " fd"
			}
			fmt.Fprintf(&b, "    %s: %s (%s ms)\n", arrow, text, milliseconds(e.Since))
		}
	}
	return b.String()
}

// mermaidText escapes characters that have a meaning in Mermaid as entities.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case strings.ContainsRune(`#;<>&"%{}[]`, r):
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// SVG returns the sequence as a standalone picture, for light and dark backgrounds.
func SVG(t *transcript.Transcript) string {
	const width, left, right, top, step = 720, 130, 590, 70, 34
	height := top + step*len(t.Events) + 40
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="ui-monospace, monospace" font-size="13">`+"\n", width, height, width, height)
	b.WriteString("<title>A handshake between a parent and its child</title>\n")
	b.WriteString("<style>text{fill:#1b1f24}line,path{stroke:#57606a;stroke-width:1.4;fill:none}" +
		".quiet{fill:#6e7781;font-size:11px}.head{font-weight:bold;text-anchor:middle}.mid{text-anchor:middle}" +
		".band{fill:#8c959f;fill-opacity:.12}@media(prefers-color-scheme:dark){text{fill:#e6edf3}" +
		"line,path{stroke:#8d96a0}.quiet{fill:#8d96a0}}</style>\n")
	fmt.Fprintf(&b, `<text class="head" x="%d" y="30">parent</text><text class="head" x="%d" y="30">child</text>`+"\n",
		left, right)
	fmt.Fprintf(&b, `<line x1="%d" y1="42" x2="%d" y2="%d"/><line x1="%d" y1="42" x2="%d" y2="%d"/>`+"\n", left, left,
		height-20, right, right, height-20)
	before := ""
	for i, e := range t.Events {
		y := top + step*i
		if at := phaseOrState(e); at != before {
			before = at
			fmt.Fprintf(&b, `<rect class="band" x="0" y="%d" width="%d" height="1.5"/><text class="quiet" x="%d" y="%d">%s</text>`+"\n", y-19, width, right+12, y-6, escape(shorten(at, 16)))
		}
		fmt.Fprintf(&b, `<text class="quiet" x="8" y="%d">%s ms</text>`+"\n", y+4, milliseconds(e.Since))
		text := label(e)
		if e.End != syncproto.Undecided {
			fmt.Fprintf(&b, `<text class="mid" x="%d" y="%d">%s</text>`+"\n", (left+right)/2, y+4, escape(shorten(text, 56)))
			continue
		}
		text += " · " + strconv.Itoa(frameSize(e)) + " B"
		if n := e.Header.NFDs; n > 0 {
			text += " · " + strconv.Itoa(int(n)) + " fd"
		}
		from, to, tip := left, right, -7
		if t.From(e) == syncproto.Child {
			from, to, tip = right, left, 7
		}
		fmt.Fprintf(&b, `<text class="mid" x="%d" y="%d">%s</text><line x1="%d" y1="%d" x2="%d" y2="%d"/><path d="M%d %dL%d %dL%d %d"/>`+"\n",
			(left+right)/2, y-3, escape(shorten(text, 56)), from, y+3, to, y+3, to+tip, y-1, to, y+3, to+tip, y+7)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// escape escapes a text for XML; remote.OneLine has already removed characters that XML cannot hold.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
