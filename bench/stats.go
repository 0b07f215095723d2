package main

import (
	"math"
	"slices"
)

// quantile returns the value below which the share q (0 to 1) of the values lies, interpolated between neighbours; NaN
// without values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(at-float64(low))
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// pairedRatio returns the median over the rounds of a's value divided by b's in the same round. The load of the host
// affects both in a round alike, so this varies less than the ratio of the medians.
func pairedRatio(a, b []float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	return median(ratios)
}

func values(samples []sample, of func(sample) float64) []float64 {
	all := make([]float64, 0, len(samples))
	for _, s := range samples {
		all = append(all, of(s))
	}
	return all
}

func wallMS(s sample) float64 { return float64(s.WallNS) / 1e6 }
func cpuMS(s sample) float64  { return float64(s.UserUS+s.SystemUS) / 1e3 }
func peakMB(s sample) float64 { return float64(s.PeakKB) / 1024 }

// pairedDifference returns the median over the rounds of a's value minus b's in the same round; NaN without pairs.
func pairedDifference(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.NaN()
	}
	more := make([]float64, len(a))
	for i := range a {
		more[i] = a[i] - b[i]
	}
	return median(more)
}
