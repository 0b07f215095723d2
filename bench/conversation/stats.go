package main

import (
	"math"
	"slices"
)

// quantile returns the value below which the share q of the values lies, interpolated between neighbours; NaN for no
// values.
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

// pairedRatio returns the median over the rounds of a's value divided by b's in the same round: the load of the host
// affects both alike.
func pairedRatio(a, b []float64) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] > 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	return quantile(ratios, 0.5)
}
