package report

import (
	"fmt"
	"html/template"
	"strings"
)

const most = 10.0 // the greatest exposure

// bar draws the exposure of a service before and after, from 0 to 10.
func bar(before, after float64) template.HTML {
	return template.HTML(fmt.Sprintf(
		`<svg class="bar" viewBox="0 0 100 14" role="img" aria-label="exposure %.1f before, %.1f after" preserveAspectRatio="none">`+
			`<rect class="before" x="0" y="0" width="%.1f" height="6"/><rect class="after" x="0" y="8" width="%.1f" height="6"/></svg>`,
		before, after, before/most*100, after/most*100))
}

// shareBar draws how many services keep a directive, keep it weaker, and give it up.
func shareBar(d Directive) template.HTML {
	part := func(n int) float64 { return 100 * float64(n) / float64(max(1, d.Tried)) }
	return template.HTML(fmt.Sprintf(
		`<svg class="bar" viewBox="0 0 100 10" role="img" aria-label="%d kept, %d weaker, %d given up" preserveAspectRatio="none">`+
			`<rect class="kept" x="0" y="0" width="%.2f" height="10"/><rect class="weaker" x="%.2f" y="0" width="%.2f" height="10"/>`+
			`<rect class="off" x="%.2f" y="0" width="%.2f" height="10"/></svg>`,
		d.Kept, d.Weaker, d.Off, part(d.Kept), part(d.Kept), part(d.Weaker), part(d.Kept+d.Weaker), part(d.Off)))
}

// histogram draws how many services have which exposure, before and after.
func histogram(exposures []Step) template.HTML {
	const height, width = 120, 40
	tallest := 1
	for _, e := range exposures {
		tallest = max(tallest, e.Before, e.After)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="histogram" viewBox="0 0 %d %d" role="img" aria-label="%s">`,
		len(exposures)*width, height+34, template.HTMLEscapeString(described(exposures)))
	for i, e := range exposures {
		x := i * width
		for j, n := range []int{e.Before, e.After} {
			h := float64(n) / float64(tallest) * height
			class := []string{"before", "after"}[j]
			fmt.Fprintf(&s, `<rect class="%s" x="%d" y="%.1f" width="15" height="%.1f"/>`,
				class, x+4+j*17, height-h+14, h)
			if n > 0 {
				fmt.Fprintf(&s, `<text x="%d" y="%.1f" text-anchor="middle">%d</text>`, x+11+j*17, height-h+11, n)
			}
		}
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="middle">%d–%d</text>`, x+width/2, height+30, e.From, e.From+1)
	}
	s.WriteString(`</svg>`)
	return template.HTML(s.String())
}

// described says in words what a histogram shows.
func described(exposures []Step) string {
	var words []string
	for _, e := range exposures {
		if e.Before+e.After > 0 {
			words = append(words, fmt.Sprintf("%d to %d: %d before, %d after", e.From, e.From+1, e.Before, e.After))
		}
	}
	return "services by exposure: " + strings.Join(words, "; ")
}
