// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

const oneRule = `title: A shell
id: 11111111-2222-3333-4444-555555555555
logsource:
  product: linux
  category: process_creation
detection:
  selection:
    Image|endswith: '/bash'
    CommandLine|contains|all:
      - ' -c '
      - '*'
    ParentImage|re: '^/usr'
    LogonId: 0
  condition: selection
`

func TestManyRules(t *testing.T) {
	many, err := manyRules([]ruleText{{"a", oneRule}}, 3)
	require.NoError(t, err)
	require.Len(t, many, 3)
	assert.Equal(t, oneRule, many[0].Text)
	assert.Equal(t, "a#2", many[2].Name)

	c, errs := sigma.Parse("a", []byte(many[2].Text))
	require.Empty(t, errs)
	rules := c.Rules
	require.Len(t, rules, 1)
	assert.Equal(t, "A shell 2", rules[0].Title)
	assert.Equal(t, "11111111-2222-3333-4444-000000000002", rules[0].ID)
	var texts []string
	for _, item := range rules[0].Selections[0].Alternatives[0] {
		for _, v := range item.Values {
			texts = append(texts, v.Text)
		}
	}
	assert.Equal(t, []string{"/bash2", " -c2 ", "*", "^/usr", "0"}, texts)

	few, err := manyRules(many, 2)
	require.NoError(t, err)
	assert.Equal(t, many[:2], few)
	none, err := manyRules(nil, 5)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestSampleEvents(t *testing.T) {
	events := sampleEvents(1000)
	require.Len(t, events, 1000)
	assert.Equal(t, events, sampleEvents(1000), "each run has the same")
	kinds := map[string]int{}
	for _, e := range events {
		switch {
		case e["TargetFilename"] != "":
			kinds["file"]++
		case e["DestinationIp"] != "":
			kinds["network"]++
		default:
			assert.NotEmpty(t, e["CommandLine"])
			kinds["process"]++
		}
		assert.NotEmpty(t, e["Image"])
		for name, value := range e {
			assert.NotRegexp(t, `\{[a-z]+\}`, value, name)
		}
	}
	for kind, atLeast := range map[string]int{"process": 300, "file": 200, "network": 50} {
		assert.Greater(t, kinds[kind], atLeast, kind)
	}
}
