package main

import (
	"fmt"
	"strings"
)

// The measures of a plot, in pixels.
const (
	plotWidth  = 720
	plotNames  = 130 // width of the names
	plotBars   = 480 // width of the longest bar
	plotRow    = 20
	plotHead   = 34 // height above a section's first row
	plotBottom = 24
)

// Plot draws the wall times as an SVG image: a section for each task, a bar for each contender that ends at the median,
// with a line from the 10th to the 90th percentile. The bars of all sections have the same scale.
func (r report) Plot() string {
	longest := 0.0
	for _, c := range r.Contenders {
		longest = max(longest, c.WallMS.P90)
	}
	x := func(ms float64) float64 { return plotNames + ms/longest*plotBars }
	var rows strings.Builder
	y := 20
	for i, c := range r.Contenders {
		if i == 0 || c.Task != r.Contenders[i-1].Task {
			head := heads[c.Task]
			if head == "" {
				head = "run"
			}
			y += plotHead
			fmt.Fprintf(&rows, "<text class=\"head\" x=\"8\" y=\"%d\">%s</text>\n", y-16, head)
		}
		class := "other"
		if strings.HasPrefix(c.Name, "handfast") || c.Name == libraryName {
			class = "ours"
		}
		fmt.Fprintf(&rows, "<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>"+
			"<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\"/>"+
			"<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\">%.1f</text>\n",
			plotNames-8, y+11, c.Name, class, plotNames, y, x(c.WallMS.Median)-plotNames, x(c.WallMS.P10), y+7,
			x(c.WallMS.P90), y+7, x(max(c.WallMS.P90, c.WallMS.Median))+6, y+11, c.WallMS.Median)
		y += plotRow
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "+
		"font-family=\"ui-monospace, monospace\" font-size=\"12\">\n<title>Wall time of a start, in ms</title>\n", plotWidth,
		y+plotBottom, plotWidth, y+plotBottom)
	b.WriteString("<style>text{fill:#1b1f24}line{stroke:#1b1f24;stroke-width:1.2}.head{font-weight:bold}" +
		".name{text-anchor:end}.ours{fill:#4493f8}.other{fill:#c9d1d9}.quiet{fill:#6e7781;font-size:11px}\n" +
		"@media (prefers-color-scheme:dark){text{fill:#e6edf3}line{stroke:#e6edf3}.other{fill:#57606a}" +
		".quiet{fill:#9198a1}}</style>\n")
	fmt.Fprintf(&b, "<text class=\"quiet\" x=\"8\" y=\"16\">wall time in ms: median, p10 to p90 of %d rounds; Linux %s, "+
		"%d CPUs</text>\n", r.Rounds, r.Kernel, r.CPUs)
	b.WriteString(rows.String() + "</svg>\n")
	return b.String()
}
