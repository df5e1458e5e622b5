// SPDX-License-Identifier: Apache-2.0

package baselinereceiver

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How often the kernel is asked while all is well, and while a scan waits.
const (
	askEvery  = 200 * time.Millisecond
	waitSteps = 500 * time.Millisecond
)

// pressure lets a scan wait while the host has other work. It is shared by those who work for one scan.
type pressure struct {
	config PressureConfig
	dir    string // where the kernel tells: /proc/pressure

	guard sync.Mutex
	asked time.Time
	left  time.Duration // for which this scan may wait
}

// begin is a new scan.
func (p *pressure) begin() {
	p.guard.Lock()
	defer p.guard.Unlock()
	p.left = p.config.MaxWait
}

// pause waits while the host is under pressure. Its error is the context's.
func (p *pressure) pause(ctx context.Context) error {
	p.guard.Lock()
	defer p.guard.Unlock()
	if p.config.Limit > 0 && p.left > 0 && time.Since(p.asked) >= askEvery {
		for p.left > 0 && worst(p.dir) > p.config.Limit {
			step := min(waitSteps, p.left)
			p.left -= step
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(step):
			}
		}
		p.asked = time.Now()
	}
	return ctx.Err()
}

// worst is the largest share of time, in percent, for which some tasks waited lately; 0 where the kernel does not tell.
func worst(dir string) float64 {
	most := 0.0
	for _, resource := range []string{"cpu", "io", "memory"} {
		text, err := os.ReadFile(filepath.Join(dir, resource))
		if err != nil {
			continue
		}
		most = max(most, share(string(text)))
	}
	return most
}

// share reads the first line: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0".
func share(text string) float64 {
	for _, word := range strings.Fields(text) {
		if value, ok := strings.CutPrefix(word, "avg10="); ok {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0
			}
			return number
		}
	}
	return 0
}
