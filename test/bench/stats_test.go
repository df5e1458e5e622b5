// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
		{"an outlier counts as one", []float64{1, 1, 1, 1, 1e9}, 1},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, median(c.values)) })
	}
	assert.True(t, math.IsNaN(median(nil)))
	values := []float64{3, 1, 2}
	median(values)
	assert.Equal(t, []float64{3, 1, 2}, values, "the samples stay in their order")
}

func TestRatios(t *testing.T) {
	for _, c := range []struct {
		name   string
		stages []float64
		want   []float64
	}{
		{"nothing", nil, nil},
		{"without alone", []float64{10}, nil},
		{"no stage after", []float64{10, 11}, nil},
		{"one", []float64{10, 11, 10}, []float64{1.1}},
		{"the machine becomes slower", []float64{10, 15, 20, 25, 30}, []float64{1, 1}},
		{"two", []float64{10, 20, 10, 5, 10}, []float64{2, 0.5}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, ratios(c.stages)) })
	}
}

func TestSignificant(t *testing.T) {
	for value, want := range map[float64]float64{0: 0, 123456: 123500, 1.23456: 1.235, 0.00123456: 0.001235, -98765: -98770, 9.99999: 10} {
		assert.InDelta(t, want, significant(value, 4), 1e-9, "%v", value)
	}
	assert.True(t, math.IsNaN(significant(math.NaN(), 4)))
}
