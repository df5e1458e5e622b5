// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const schemaFile = "../../config/policies/policy.schema.json"

// object is a part of the schema.
type object map[string]any

func (o object) at(t *testing.T, keys ...string) object {
	for _, key := range keys {
		next, ok := o[key].(map[string]any)
		require.True(t, ok, "%s of %v", key, keys)
		o = next
	}
	return o
}

func (o object) keys() []string {
	var names []string
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readSchema(t *testing.T) object {
	src, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var o object
	require.NoError(t, json.Unmarshal(src, &o))
	return o
}

// TestSchemaHasTheKeysOfTheParser compares every map.
func TestSchemaHasTheKeysOfTheParser(t *testing.T) {
	schema := readSchema(t)
	for _, tt := range []struct {
		path  []string
		names []string
	}{
		{nil, policyFields.names()},
		{[]string{"$defs", "rule"}, ruleFields.names()},
		{[]string{"$defs", "files"}, filesFields.names()},
		{[]string{"$defs", "processes"}, processesFields.names()},
		{[]string{"$defs", "exec"}, execFields.names()},
		{[]string{"$defs", "programs"}, programsFields.names()},
		{[]string{"$defs", "network"}, networkFields.names()},
		{[]string{"$defs", "subject"}, subjectFields.names()},
	} {
		at := schema.at(t, tt.path...)
		assert.Equal(t, tt.names, at.at(t, "properties").keys(), tt.path)
		assert.Equal(t, false, at["additionalProperties"], tt.path)
	}
}

// TestSchemaHasTheWordsOfTheParser compares every enumeration.
func TestSchemaHasTheWordsOfTheParser(t *testing.T) {
	schema := readSchema(t)
	for _, tt := range []struct {
		path  []string
		words any
	}{
		{[]string{"$defs", "mode"}, modes},
		{[]string{"properties", "severity"}, severities},
		{[]string{"properties", "on_agent_loss"}, agentLosses},
		{[]string{"properties", "override", "items"}, refusals},
		{[]string{"$defs", "fileOperation"}, append(OperationNames(FileOperations), "tamper", "secret")},
		{[]string{"$defs", "processOperation"}, OperationNames(ProcessOperations)},
		{[]string{"$defs", "networkOperation"}, OperationNames(NetworkOperations)},
		{[]string{"$defs", "kernelOperation"}, OperationNames(KernelOperations)},
		{[]string{"$defs", "programs", "properties", "origins", "items"}, origins},
	} {
		want, err := json.Marshal(tt.words)
		require.NoError(t, err)
		found, err := json.Marshal(schema.at(t, tt.path...)["enum"])
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(found), tt.path)
	}
}

// documentsOf gives the documents of a file as JSON has them, and an error for what is no YAML.
func documentsOf(src []byte) ([]any, error) {
	var docs []any
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	for {
		var doc any
		if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
			return docs, nil
		} else if err != nil {
			return nil, err
		}
		encoded, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
		if err != nil {
			return nil, err
		}
		docs = append(docs, value)
	}
}

func TestSchemaTakesWhatTheParserTakes(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile(schemaFile)
	files, err := filepath.Glob("../../config/policies/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, "testdata/everything.yaml") {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		docs, err := documentsOf(src)
		require.NoError(t, err)
		for _, doc := range docs {
			assert.NoError(t, schema.Validate(doc), file)
		}
	}
}

// TestExamplesOfTheDocumentation keeps the page true.
func TestExamplesOfTheDocumentation(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile(schemaFile)
	page, err := os.ReadFile("../../docs/policies.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.NotEmpty(t, examples)
	for _, example := range examples {
		_, err := Parse("policies.md", example[1])
		assert.NoError(t, err)
		docs, err := documentsOf(example[1])
		require.NoError(t, err)
		assert.NoError(t, schema.Validate(docs[0]))
	}
}

// beyondSchema are faults that no schema can see: what is compared with something else, or counted.
var beyondSchema = []string{"merge key", "long paths",
	"policies twice", "rules twice", "subject of an unknown list without any", "an error behind an anchor is told once"}

func TestSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile(schemaFile)
	for _, b := range broken {
		docs, err := documentsOf([]byte(b.src))
		if err != nil {
			continue // it is not even YAML
		}
		refused := false
		for _, doc := range docs {
			refused = refused || schema.Validate(doc) != nil
		}
		assert.Equal(t, !slices.Contains(beyondSchema, b.name), refused, b.name)
	}
}
