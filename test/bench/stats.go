// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
)

// median gives the middle of values; NaN where there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratios compares the odd stages (with) with the even ones around them (without). The mean of both
// neighbours stands for the odd stage's time, so that a machine that slowly becomes busier or idler
// does not count as a difference.
func ratios(stages []float64) []float64 {
	var out []float64
	for i := 1; i+1 < len(stages); i += 2 {
		out = append(out, stages[i]/((stages[i-1]+stages[i+1])/2))
	}
	return out
}

// significant rounds to as many digits as a measured figure can mean.
func significant(value float64, digits int) float64 {
	if value == 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return value
	}
	scale := math.Pow(10, float64(digits-1)-math.Floor(math.Log10(math.Abs(value))))
	return math.Round(value*scale) / scale
}
