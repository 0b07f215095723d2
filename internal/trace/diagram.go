package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/handfast/handfast/internal/recording"
	"github.com/handfast/handfast/syncproto"
)

// Mermaid returns a sequence diagram for https://mermaid.js.org.
func Mermaid(all []*recording.Command) string {
	var b strings.Builder
	b.WriteString("sequenceDiagram\n    participant P as parent\n    participant C as child\n")
	for i, c := range all {
		if i > 0 {
			fmt.Fprintf(&b, "    Note over P,C: %s\n", mermaidText("... "+between(all[i-1], c)))
		}
		if !alone(c) {
			fmt.Fprintf(&b, "    Note over P,C: %s\n", mermaidText(title(c)))
		}
		before := ""
		for _, r := range rowsOf(c) {
			if r.phase != "" {
				fmt.Fprintf(&b, "    Note left of P: %s (%s ms)\n", mermaidText(r.phase), milliseconds(r.at))
				continue
			}
			if at := phaseOrState(r.Event); at != before && r.isFrame() {
				fmt.Fprintf(&b, "    Note over P,C: %s\n", mermaidText(at))
				before = at
			}
			mermaidEvent(&b, &r)
		}
		if !alone(c) {
			fmt.Fprintf(&b, "    Note over P,C: %s\n", mermaidText(ended(c)))
		}
	}
	return b.String()
}

func mermaidEvent(b *strings.Builder, r *row) {
	text := mermaidText(label(r.Event))
	switch {
	case r.End == syncproto.Success:
		b.WriteString("    C--xP: end of file: success\n")
	case r.End != syncproto.Undecided:
		fmt.Fprintf(b, "    Note over P,C: %s\n", text)
	default:
		arrow := "C->>P"
		if r.parent {
			arrow = "P->>C"
		}
		if n := r.Header.NFDs; n > 0 {
			text += " +" + strconv.Itoa(int(n)) + " fd"
		}
		fmt.Fprintf(b, "    %s: %s (%s ms)\n", arrow, text, milliseconds(r.at))
	}
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

// The places of a picture, in its own unit: the width, the lines of the two sides, and the heights of rows.
const (
	svgWidth = 720
	svgLeft  = 130
	svgRight = 590
	svgTitle = 38
	svgGap   = 38
	svgHeads = 36
	svgFrame = 34
	svgPhase = 24
	svgEnd   = 30
)

const svgStyle = "<style>text{fill:#1b1f24}line,path{stroke:#57606a;stroke-width:1.4;fill:none}" +
	".quiet{fill:#6e7781;font-size:11px}.head{font-weight:bold;text-anchor:middle}.mid{text-anchor:middle}" +
	".band{fill:#8c959f;fill-opacity:.12}.title{font-weight:bold}.phase{fill:#0969da;fill-opacity:.55}" +
	".other{fill:#0969da;fill-opacity:.25}.work{font-size:12px;fill:#0a57b0}.bad{fill:#b42318}" +
	"@media(prefers-color-scheme:dark){text{fill:#e6edf3}line,path{stroke:#8d96a0}.quiet{fill:#8d96a0}" +
	".work{fill:#79b8ff}.bad{fill:#ff8a80}}</style>\n"

// SVG returns a standalone picture, for light and dark backgrounds: a band for each command, with the lines of both
// sides, the phases along the parent's line and the frames between the lines. Rows are in the order of time and not to
// scale, so that every gap is as high as a row; it is labelled where commands follow each other.
func SVG(all []*recording.Command) string {
	p := &picture{y: 8}
	for i, c := range all {
		if i > 0 {
			p.text("mid quiet", svgWidth/2, p.y+svgGap/2+4, "... "+between(all[i-1], c))
			p.y += svgGap
		}
		p.command(c)
	}
	p.y += 8
	what := "A handshake between a parent and its child"
	if len(all) > 1 || !alone(all[0]) {
		what = "The commands of a container, and the conversations with its processes"
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" `+
		`font-family="ui-monospace, monospace" font-size="13">`+"\n<title>%s</title>\n", svgWidth, p.y, svgWidth, p.y, what) +
		svgStyle + p.b.String() + "</svg>\n"
}

// picture is an SVG that grows downwards.
type picture struct {
	b strings.Builder
	y int // the bottom so far
}

func (p *picture) text(class string, x, y int, text string) {
	fmt.Fprintf(&p.b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, escape(text))
}

func (p *picture) line(x1, y1, x2, y2 int) {
	fmt.Fprintf(&p.b, `<line x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", x1, y1, x2, y2)
}

func (p *picture) rect(class string, x, y, width, height int) {
	fmt.Fprintf(&p.b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`+"\n", class, x, y, width, height)
}

// command draws a band.
func (p *picture) command(c *recording.Command) {
	top, rows := p.y, rowsOf(c)
	if !alone(c) {
		p.text("title", 8, p.y+24, shorten(title(c), 60))
		p.y += svgTitle
	}
	if len(c.Conversations) > 0 {
		p.text("head", svgLeft, p.y+22, "parent")
		p.text("head", svgRight, p.y+22, "child")
		p.y += svgHeads
	}
	lines := p.y
	p.rows(rows)
	if len(c.Conversations) > 0 || len(c.Phases) > 0 {
		p.line(svgLeft, lines, svgLeft, p.y)
	}
	if len(c.Conversations) > 0 {
		p.line(svgRight, lines, svgRight, p.y)
	}
	p.y += 10
	if !alone(c) {
		class := "quiet"
		if !c.Ended || c.Status != 0 {
			class = "bad quiet"
		}
		p.text(class, 8, p.y+14, shorten(ended(c), 100))
		p.y += svgEnd
		p.rect("band", 0, top, svgWidth, p.y-top)
	}
}

// rows draws what happened. A phase is a bar along the parent's line, until the next one or the end.
func (p *picture) rows(rows []row) {
	state, phases, began := "", 0, 0
	bar := func() {
		if phases > 0 && p.y > began {
			p.rect([]string{"phase", "other"}[phases%2], svgLeft-5, began, 10, p.y-began)
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.phase != "" {
			bar()
			began, phases = p.y, phases+1
			y := p.y + svgPhase/2
			p.text("quiet", 8, y+4, milliseconds(r.at)+" ms")
			p.text("work", svgLeft+14, y+4, shorten(r.phase, 56))
			p.y += svgPhase
			continue
		}
		if at := phaseOrState(r.Event); at != state {
			state = at
			p.rect("band", svgLeft+14, p.y, svgWidth-svgLeft-14, 1)
			p.text("quiet", svgRight+12, p.y+14, shorten(at, 16))
		}
		p.event(r)
	}
	bar()
}

// event draws a frame or the end of a conversation.
func (p *picture) event(r *row) {
	y, middle := p.y+svgFrame/2+2, (svgLeft+svgRight)/2
	p.y += svgFrame
	p.text("quiet", 8, y+4, milliseconds(r.at)+" ms")
	text := label(r.Event)
	if !r.isFrame() {
		p.text("mid", middle, y+4, shorten(text, 52))
		return
	}
	text += " · " + strconv.Itoa(frameSize(r.Event)) + " B"
	if n := r.Header.NFDs; n > 0 {
		text += " · " + strconv.Itoa(int(n)) + " fd"
	}
	from, to, tip := svgRight, svgLeft+5, 7
	if r.parent {
		from, to, tip = svgLeft+5, svgRight, -7
	}
	p.text("mid", middle, y-3, shorten(text, 52))
	p.line(from, y+3, to, y+3)
	fmt.Fprintf(&p.b, `<path d="M%d %dL%d %dL%d %d"/>`+"\n", to+tip, y-1, to, y+3, to+tip, y+7)
}

// escape escapes a text for XML; oneline.Of has already removed characters that XML cannot hold.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
