// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peersMeasurement compares engines that judge events by Sigma rules. It is no part of the usual run, because the other
// engines are not among this repository's dependencies: they are in a module of their own and come from the network.
var peersMeasurement = measurement{"peers", peers, []declaration{
	{"peer_own", "144 rules: our naive evaluator", "/CPU s", goal{}},
	{"peer_fast", "144 rules: our engine", "/CPU s", goal{}},
	{"peer_sigma_go", "144 rules: bradleyjkemp/sigma-go", "/CPU s", goal{}},
	{"peer_ruleengine", "144 rules: go-sigma-rule-engine", "/CPU s", goal{}},
	{"peer_own_many", "1,243 rules: our naive evaluator", "/CPU s", goal{}},
	{"peer_fast_many", "1,243 rules: our engine", "/CPU s", goal{}},
	{"peer_sigma_go_many", "1,243 rules: bradleyjkemp/sigma-go", "/CPU s", goal{}},
	{"peer_ruleengine_many", "1,243 rules: go-sigma-rule-engine", "/CPU s", goal{}},
}}

// peerSizes are the numbers of rules, by what the figure's name ends in.
var peerSizes = []struct {
	suffix string
	rules  int
}{{"", 144}, {"_many", 1243}}

const (
	peerEvents = 2000
	peerModule = "test/bench/peers"
)

// peerInput is what the program with the engines reads.
type peerInput struct {
	Rules  []ruleText          `json:"rules"`
	Events []map[string]string `json:"events"`
	Rounds int                 `json:"rounds"`
	Length time.Duration       `json:"length"` // of one sample
}

// peerOutput is what it says of one engine.
type peerOutput struct {
	Engine  string    `json:"engine"`
	Rules   int       `json:"rules"`   // that the engine can judge by
	Matches int       `json:"matches"` // of rules and events, each event once
	Samples []float64 `json:"samples"` // events for each second of CPU time
}

func peers(ctx context.Context, b *bench) (results, error) {
	rules, err := publicProcessRules(b.root)
	if err != nil {
		return nil, err
	}
	program, err := b.buildPeers(ctx)
	if err != nil {
		return nil, err
	}
	found := results{}
	for _, size := range peerSizes {
		many, err := manyRules(rules, size.rules)
		if err != nil {
			return nil, err
		}
		b.progress("judges by %d rules", len(many))
		input := peerInput{many, sampleEvents(peerEvents), b.rounds, b.length(2 * time.Second)}
		outputs, err := runPeers(ctx, program, input)
		if err != nil {
			return nil, err
		}
		for _, o := range outputs {
			name := "peer_" + o.Engine + size.suffix
			for _, sample := range o.Samples {
				found.add(name, sample)
			}
			found.note(name, "takes %d of %d rules; %s of %s events and rules match", o.Rules, len(many),
				thousands(int64(o.Matches)), thousands(int64(peerEvents)*int64(o.Rules)))
		}
	}
	return found, nil
}

// publicDirectory is where the Sigma project's rules are, which are not part of this repository.
func publicDirectory(root string) (string, error) {
	dir := os.Getenv("VEDETTE_SIGMA_DIR")
	if dir == "" {
		dir = filepath.Join(root, "../shared/sigma-linux")
	}
	if _, err := os.Stat(dir); err != nil {
		return "", cannot("there are no Sigma rules: set VEDETTE_SIGMA_DIR to a directory with them (%v)", err)
	}
	return dir, nil
}

func publicProcessRules(root string) ([]ruleText, error) {
	dir, err := publicDirectory(root)
	if err != nil {
		return nil, err
	}
	rules, err := processRules(dir)
	if err == nil && len(rules) == 0 {
		err = cannot("no rule in %s is about the start of a process", dir)
	}
	return rules, err
}

func (b *bench) buildPeers(ctx context.Context) (string, error) {
	program := filepath.Join(b.dir, "peers")
	b.progress("fetches and builds the other engines")
	out, err := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(b.root, peerModule), "-o", program, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", peerModule, err, out)
	}
	return program, nil
}

func runPeers(ctx context.Context, program string, input peerInput) ([]peerOutput, error) {
	encoded, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("encode the rules and events: %w", err)
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(encoded), &stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run the engines: %w\n%s", err, stderr.String())
	}
	var outputs []peerOutput
	if err := json.Unmarshal(out, &outputs); err != nil {
		return nil, fmt.Errorf("read what the engines say: %w", err)
	}
	return outputs, nil
}
