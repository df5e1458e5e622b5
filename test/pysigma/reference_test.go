// SPDX-License-Identifier: Apache-2.0

package pysigma

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/ring"
)

//go:embed judge.py
var judge string

// file is one rule file for pySigma, with the events that its rules are judged by.
type file struct {
	Source string  `json:"source"`
	Events []event `json:"events"`
}

// event gives each field a list of values: a field without values is present all the same.
type event struct {
	Fields   map[string][]any `json:"fields"`
	Keywords []string         `json:"keywords"`
}

// judgement is what pySigma says of a file.
type judgement struct {
	// Error is set when the file as a whole was refused.
	Error string     `json:"error"`
	Rules []readRule `json:"rules"`
}

// readRule is a rule as one of the two sides read it.
type readRule struct {
	Title      string                   `json:"title"`
	Error      string                   `json:"error,omitempty"` // why the rule was refused
	Selections map[string][]alternative `json:"selections,omitempty"`
	Conditions []condition              `json:"conditions,omitempty"`
	Verdicts   []bool                   `json:"verdicts,omitempty"` // one for each event
}

// alternative holds the items that must hold together.
type alternative []item

type item struct {
	Field  string    `json:"field"`
	All    bool      `json:"all"`
	Negate bool      `json:"negate"`
	Values [][]value `json:"values"` // each value as written, and what the modifiers made of it
}

// value is what a value of a rule became. Kind says which of the other fields are used.
type value struct {
	Kind   string      `json:"kind"`
	Text   string      `json:"text,omitempty"`
	Cased  bool        `json:"cased,omitempty"`
	Flags  string      `json:"flags,omitempty"`
	Anchor string      `json:"anchor,omitempty"`
	Op     string      `json:"op,omitempty"`
	Unit   string      `json:"unit,omitempty"`
	Number json.Number `json:"number,omitempty"`
	Bool   bool        `json:"bool,omitempty"`
}

// condition is and, or, not (over terms), ref, all or any (over selections).
type condition struct {
	Op         string      `json:"op"`
	Terms      []condition `json:"terms,omitempty"`
	Selections []string    `json:"selections,omitempty"`
}

// askPySigma has all files judged by one process, because starting it costs more than a file.
func askPySigma(t *testing.T, files []file) []judgement {
	t.Helper()
	root, err := ring.ModuleRoot()
	require.NoError(t, err)
	input, err := json.Marshal(files)
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(root, ring.ReferencePython), "-c", judge)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &stderr
	output, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var judgements []judgement
	require.NoError(t, json.Unmarshal(output, &judgements))
	require.Len(t, judgements, len(files))
	return judgements
}
