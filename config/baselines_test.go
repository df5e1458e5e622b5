// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/config"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

func readyBaselines(t *testing.T) *baseline.Set {
	ready, err := fs.Sub(config.Files, config.BaselinesRoot)
	require.NoError(t, err)
	l := &baseline.Loader{}
	l.AddFS(ready, "ready")
	set, err := l.Set()
	require.NoError(t, err)
	require.NotEmpty(t, set.Templates)
	return set
}

func TestReadyBaselinesSpeakTwoLanguages(t *testing.T) {
	for _, template := range readyBaselines(t).Templates {
		assert.NotEmpty(t, template.Title.ZH, template.ID)
		for _, v := range template.Values {
			assert.NotEmpty(t, v.Title.ZH, v.Name)
		}
		for _, r := range template.Rules {
			assert.NotEmpty(t, r.Title.ZH, r.ID)
			assert.NotEmpty(t, r.Maps, r.ID)
			if r.Manual != nil {
				assert.NotEmpty(t, r.Manual.ZH, r.ID)
				continue
			}
			assert.NotEmpty(t, r.Rationale.EN, r.ID)
			assert.NotEmpty(t, r.Rationale.ZH, r.ID)
		}
	}
}

func TestReadyBaselinesKeepToTheSchema(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile("baselines/baseline.schema.json")
	paths, err := filepath.Glob("baselines/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		src, err := os.ReadFile(path)
		require.NoError(t, err)
		var doc any
		require.NoError(t, yaml.Unmarshal(src, &doc))
		encoded, err := json.Marshal(doc)
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
		require.NoError(t, err)
		assert.NoError(t, schema.Validate(value), path)
	}
}

// clausesOf tells for each clause of a standard whether a rule judges it without a person.
func clausesOf(t *testing.T, template, standard string) map[string]bool {
	b, err := readyBaselines(t).Resolve(template, nil)
	require.NoError(t, err)
	clauses := map[string]bool{}
	for _, r := range b.Rules {
		for _, clause := range r.Maps[standard] {
			clauses[clause] = clauses[clause] || r.Manual == nil
		}
	}
	return clauses
}

func automated(clauses map[string]bool) int {
	n := 0
	for _, is := range clauses {
		if is {
			n++
		}
	}
	return n
}

// TestMLPSHasEveryItem counts the items of GB/T 22239-2019 about hosts: 23 at level 2, 34 at level 3.
func TestMLPSHasEveryItem(t *testing.T) {
	two, three := clausesOf(t, "mlps-l2", "mlps-l2"), clausesOf(t, "mlps-l3", "mlps-l3")
	assert.Len(t, two, 23)
	assert.Len(t, three, 34)
	assert.Equal(t, 17, automated(two), "as the documentation says")
	assert.Equal(t, 27, automated(three), "as the documentation says")
	form := regexp.MustCompile(`^[78]\.1\.4\.\d+(\.[a-g])?$`)
	for clause := range three {
		assert.Regexp(t, form, clause)
	}
}

// TestCISHasTheRecommendationsOfDebian12 counts those of version 1.1.0: 310, of which the benchmark calls 289 automated.
func TestCISHasTheRecommendationsOfDebian12(t *testing.T) {
	clauses := clausesOf(t, "cis-debian12", "cis-debian12")
	assert.Len(t, clauses, 310, "as the documentation says")
	assert.Equal(t, 284, automated(clauses), "as the documentation says")
	b, err := readyBaselines(t).Resolve("cis-debian12", nil)
	require.NoError(t, err)
	for _, r := range b.Rules {
		require.Len(t, r.Maps["cis-debian12"], 1, r.ID)
		assert.Equal(t, "cis-"+r.Maps["cis-debian12"][0], r.ID)
		assert.NotEmpty(t, r.Profiles, r.ID)
	}
}

// TestCISHasTheRecommendationsOfRHEL8 counts those of version 4.0.0: 322, of which the benchmark calls 299 automated.
func TestCISHasTheRecommendationsOfRHEL8(t *testing.T) {
	clauses := clausesOf(t, "cis-rhel8", "cis-rhel8")
	assert.Len(t, clauses, 322, "as the documentation says")
	assert.Equal(t, 300, automated(clauses), "as the documentation says")
	b, err := readyBaselines(t).Resolve("cis-rhel8", nil)
	require.NoError(t, err)
	for _, r := range b.Rules {
		require.Len(t, r.Maps["cis-rhel8"], 1, r.ID)
		assert.Equal(t, "cis-"+r.Maps["cis-rhel8"][0], r.ID)
		assert.NotEmpty(t, r.Profiles, r.ID)
	}
}
