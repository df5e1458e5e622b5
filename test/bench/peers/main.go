// SPDX-License-Identifier: Apache-2.0

// Command peers has several engines judge the same events by the same Sigma rules and says how many events each judges in
// a second of CPU time. It is a module of its own, so that the other engines are no dependencies of the agent.
//
// test/bench starts it: `make bench ARGS="-peers -run peer"`. Input and output are JSON on the standard streams.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

type input struct {
	Rules []struct {
		Name string `json:"name"`
		Text string `json:"text"`
	} `json:"rules"`
	Events []map[string]string `json:"events"`
	Rounds int                 `json:"rounds"`
	Length time.Duration       `json:"length"` // of one sample
}

type output struct {
	Engine  string    `json:"engine"`
	Rules   int       `json:"rules"`
	Matches int       `json:"matches"`
	Samples []float64 `json:"samples"`
}

// judging is an engine that judges events by rules.
type judging interface {
	// add takes a rule, or refuses what the engine cannot judge by.
	add(text string) error
	// prepare comes after the last rule and gives the events the form that the engine wants. That is not measured.
	prepare(events []map[string]string)
	// judge gives the number of rules that the event with this index matches.
	judge(event int) int
}

// engines are all there is.
var engines = []struct {
	name string
	make func() judging
}{
	{"own", func() judging { return &own{} }},
	{"fast", func() judging { return &fast{} }},
	{"sigma_go", func() judging { return &sigmaGo{} }},
	{"ruleengine", func() judging { return &ruleEngine{} }},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	loaded := make([]judging, len(engines))
	outputs := make([]output, len(engines))
	for i, e := range engines {
		loaded[i], outputs[i].Engine = e.make(), e.name
		for _, r := range in.Rules {
			if err := loaded[i].add(r.Text); err != nil {
				fmt.Fprintf(os.Stderr, "%s refuses %s: %v\n", e.name, r.Name, err)
				continue
			}
			outputs[i].Rules++
		}
		loaded[i].prepare(in.Events)
		for event := range in.Events {
			outputs[i].Matches += loaded[i].judge(event)
		}
	}
	// Round by round and not engine by engine, so that a machine that gets busier does so for all of them.
	for range in.Rounds {
		for i, e := range loaded {
			outputs[i].Samples = append(outputs[i].Samples, eventsPerSecond(e, len(in.Events), in.Length))
		}
	}
	return json.NewEncoder(os.Stdout).Encode(outputs)
}

// eventsPerSecond counts the events judged for each second of CPU time, garbage collection included.
func eventsPerSecond(e judging, events int, length time.Duration) float64 {
	runtime.GC() // what was measured before leaves nothing to be cleared away here
	start, used, judged := time.Now(), cpuTime(), 0
	for time.Since(start) < length {
		const between = 20 // looks at the clock
		for range between {
			e.judge(judged % events)
			judged++
		}
	}
	return float64(judged) / (cpuTime() - used).Seconds()
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail with a known argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
