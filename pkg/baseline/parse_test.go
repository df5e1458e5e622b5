// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ruleWith is a template with one rule whose check is given, on line 4.
func ruleWith(check string) string {
	return "template: x\ntitle: X\nrules:\n  - {id: r, title: R, check: " + check + "}\n"
}

var broken = []struct{ name, src, want string }{
	{"no map", "[]", "x.yaml:1:1: the template: found a list, expected a map"},
	{"no YAML", "a: [", "x.yaml:1: the document is not valid YAML"},
	{"no id", "title: X", `x.yaml:1:1: the template: the key "template" is missing`},
	{"unknown key", "template: x\ntitle: X\nrule: []", `x.yaml:3:1: the template: found the text "rule" as a key, expected one of disable, extends`},
	{"key twice", "template: x\ntitle: X\ntitle: Y", `x.yaml:3:1: key "title" is given twice`},
	{"bad id", "template: A b\ntitle: X", `x.yaml:1:11: template: found the text "A b", expected an id`},
	{"empty title", "template: x\ntitle: ''", `x.yaml:2:8: title: found the text "", expected text`},
	{"title without English", "template: x\ntitle: {zh: X}", `x.yaml:2:8: title: the key "en" is missing`},
	{"no check", "template: x\ntitle: X\nrules:\n  - {id: r, title: R}", "x.yaml:4:5: rules: found neither of the keys check, manual"},
	{"no rules", "template: x\ntitle: X\nrules: []", "x.yaml:3:8: rules: found an empty list"},
	{"severity", "template: x\ntitle: X\nrules:\n  - {id: r, title: R, severity: bad, manual: M}", `x.yaml:4:33: rules.severity: found the text "bad", expected one of low, medium, high, critical`},
	{"rule twice", "template: x\ntitle: X\nrules:\n  - {id: r, title: R, manual: M}\n  - {id: r, title: R, manual: M}", `x.yaml:5:5: rules: found "r" twice, first in x.yaml:4:5`},
	{"merge key", "template: x\ntitle: X\nvalues:\n  <<: {}", "x.yaml:4:3: values: YAML merge keys"},
	{"value without title", "template: x\ntitle: X\nvalues: {v: {default: 1}}", `values.v: the key "title" is missing`},
	{"value beyond its ceiling", "template: x\ntitle: X\nvalues: {v: {default: 91, max: 90, title: V}}", "values.v: found 91, expected at most 90"},
	{"value of another type", "template: x\ntitle: X\nvalues: {v: {type: list, default: 91, title: V}}", `values.v: found "91", expected a value of type list`},
	{"ceiling of text", "template: x\ntitle: X\nvalues: {v: {type: text, default: a, max: 90, title: V}}", "found min or max for type text"},
	{"two checks", ruleWith("{all: [], any: []}"), "check: found a map with 2 keys, expected a map with one key"},
	{"unknown table", ruleWith("{files: {}}"), `check: found the text "files" as a key, expected all, any, not or one of account, `},
	{"unknown parameter", ruleWith("{file: {paths: [/a], path: /b}}"), `file: found the text "path" as a key, expected one of paths, count`},
	{"parameter missing", ruleWith("{file: {expect: {exists: true}}}"), `x.yaml:4:37: file: the key "paths" is missing`},
	{"path", ruleWith("{file: {paths: [etc]}}"), `file.paths: found "etc", expected an absolute path`},
	{"pattern", ruleWith("{line: {files: [/a], pattern: '('}}"), `line.pattern: found "(", expected a regular expression`},
	{"unknown field", ruleWith("{file: {paths: [/a], expect: {moda: 1}}}"), `file.expect: found the text "moda" as a key, expected one of exists, group, mode`},
	{"no field", ruleWith("{file: {paths: [/a], expect: {}}}"), "file.expect: found an empty map"},
	{"operator of another kind", ruleWith("{file: {paths: [/a], expect: {mode: {max: 0640}}}}"), `found the operator "max" for a mode, expected one of at_most, bits, equals`},
	{"no octal digits", ruleWith("{file: {paths: [/a], expect: {mode: {at_most: 0698}}}}"), "expected octal digits such as 0640"},
	{"no octal digits in quotes", ruleWith(`{file: {paths: [/a], expect: {mode: {at_most: "0698"}}}}`), "expected octal digits such as 0640"},
	{"half a number", ruleWith("{account: {expect: {uid: {min: 1.5}}}}"), "expected a whole number"},
	{"no number in a list", ruleWith("{account: {expect: {uid: {one_of: [a]}}}}"), "expected a whole number"},
	{"no number for text", ruleWith("{account: {expect: {name: {min: a}}}}"), "expected a whole number"},
	{"reference as a default", "template: x\ntitle: X\nvalues:\n  v: {default: \"${w}\", title: V}", "values.default: found the text \"${w}\", expected no reference here"},
	{"reference as a setting", "template: x\ntitle: X\nset: {v: \"${w}\"}", "set: found the text \"${w}\", expected no reference here"},
	{"name of a value", "template: x\ntitle: X\nvalues:\n  v-w: {default: 1, title: V}", "expected a name of small letters, digits and underscores"},
	{"default that is no mode", "template: x\ntitle: X\nvalues:\n  v: {type: mode, default: \"9\", title: V}", "expected octal digits such as 0640"},
	{"default that is a list", "template: x\ntitle: X\nvalues:\n  v: {type: text, default: [a], title: V}", "expected a value of type text"},
	{"waiver with a moment", "waivers:\n  - {rule: r, owner: o, approver: a, reason: x, expires: \"2030-01-01 10:00\"}", "waivers.expires: found"},
	{"no number", ruleWith("{account: {expect: {uid: {min: a}}}}"), `account.expect.uid.min: found the text "a", expected a whole number`},
	{"no flag", ruleWith("{file: {paths: [/a], expect: {exists: maybe}}}"), `found the text "maybe", expected true or false`},
	{"no list", ruleWith("{account: {expect: {name: {one_of: a}}}}"), "expected a list"},
	{"list", ruleWith("{account: {expect: {name: {equals: [a]}}}}"), "expected one value"},
	{"some without expect", ruleWith("{account: {some: true}}"), "account: found some without expect"},
	{"waiver without end", "waivers:\n  - {rule: r, owner: o, approver: a, reason: x}", `x.yaml:2:5: waivers: the key "expires" is missing`},
	{"waiver with a bad day", "waivers:\n  - {rule: r, owner: o, approver: a, reason: x, expires: soon}", `waivers.expires: found the text "soon", expected the last day`},
	{"waivers and more", "waivers:\n  - {rule: r, owner: o, approver: a, reason: x, expires: 2030-01-01}\ntemplate: x", `found the text "template" as a key, expected waivers alone`},
}

func TestParseTellsWhatIsWrong(t *testing.T) {
	for _, tt := range broken {
		t.Run(tt.name, func(t *testing.T) {
			file, err := Parse("x.yaml", []byte(tt.src))
			require.ErrorContains(t, err, tt.want)
			var errs Errors
			require.ErrorAs(t, err, &errs)
			assert.Empty(t, file.Templates)
			assert.Empty(t, file.Waivers)
		})
	}
}

func TestParseBoundsTheDepthOfChecks(t *testing.T) {
	deep := strings.Repeat("{not: ", deepestCheck) + "{account: {}}" + strings.Repeat("}", deepestCheck)
	_, err := Parse("x.yaml", []byte(ruleWith(deep)))
	assert.ErrorContains(t, err, "found more than 16 checks inside of each other")
}

func parseEverything(t testing.TB) *File {
	src, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	file, err := Parse("everything.yaml", src)
	require.NoError(t, err)
	return file
}

func TestParse(t *testing.T) {
	file := parseEverything(t)
	require.Len(t, file.Templates, 2)
	base := file.Templates[0]
	assert.Equal(t, "全部", base.Title.In("zh"))
	assert.Equal(t, "Level 2", base.Profiles[1].Title.In("zh"))
	assert.Equal(t, map[string][]string{"mlps-l3": {"8.1.4.1.a"}, "cis-debian12": {"5.4.1.1"}}, base.Rules[0].Maps)
	assert.Equal(t, Position{"everything.yaml", 12, 5}, base.Rules[0].Position)
	require.Len(t, file.Waivers, 1)
	assert.Equal(t, "2030-02-01", file.Waivers[0].Expires.Format(waiverDay))
}

// documentsOf gives the documents of a file as JSON has them.
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

const schemaFile = "../../config/baselines/baseline.schema.json"

func TestSchemaFileIsCurrent(t *testing.T) {
	schema, err := Schema()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(schemaFile, schema, 0o644))
	}
	written, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	assert.Equal(t, string(written), string(schema))
}

func TestSchemaTakesWhatTheParserTakes(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile(schemaFile)
	src, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(t, err)
	docs, err := documentsOf(src)
	require.NoError(t, err)
	require.Len(t, docs, 3)
	ready, err := filepath.Glob("../../config/baselines/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, ready)
	for _, name := range ready {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		more, err := documentsOf(src)
		require.NoError(t, err)
		docs = append(docs, more...)
	}
	for _, doc := range docs {
		assert.NoError(t, schema.Validate(doc))
	}
}

// beyondSchema are faults that no schema of this kind sees: what is compared with something else or has a form of its own.
var beyondSchema = []string{"rule twice", "value beyond its ceiling", "path", "pattern",
	"no octal digits", "merge key"}

func TestSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile(schemaFile)
	for _, b := range broken {
		docs, err := documentsOf([]byte(b.src))
		if err != nil {
			continue // it is not even YAML
		}
		assert.Equal(t, !slices.Contains(beyondSchema, b.name), schema.Validate(docs[0]) != nil, b.name)
	}
}

// TestExamplesOfTheDocumentation keeps the page true.
func TestExamplesOfTheDocumentation(t *testing.T) {
	schema := jsonschema.NewCompiler().MustCompile(schemaFile)
	page, err := os.ReadFile("../../docs/baseline.md")
	require.NoError(t, err)
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	require.NotEmpty(t, examples)
	l := &Loader{}
	l.AddFS(os.DirFS("../../config/baselines"), "ready")
	for _, example := range examples {
		l.add("baseline.md", example[1], nil)
		docs, err := documentsOf(example[1])
		require.NoError(t, err)
		for _, doc := range docs {
			assert.NoError(t, schema.Validate(doc))
		}
	}
	_, err = l.Set()
	assert.NoError(t, err)
	for _, table := range sortedKeys(tables) {
		assert.Contains(t, string(page), "`"+table+"`")
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range broken {
		f.Add([]byte(b.src))
	}
	everything, err := os.ReadFile("testdata/everything.yaml")
	require.NoError(f, err)
	f.Add(everything)
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := Parse("x.yaml", src)
		var errs Errors
		if errors.As(err, &errs) {
			for _, e := range errs {
				assert.NotContains(t, e.Error(), "\n")
			}
		}
		set := &Set{Templates: file.Templates}
		for _, template := range file.Templates {
			assert.Regexp(t, idForm, template.ID)
			if b, err := set.Resolve(template.ID, nil); err == nil {
				assert.NotContains(t, describeAll(b), "${")
			}
		}
	})
}

// describeAll names the references that resolving has left.
func describeAll(b *Baseline) string {
	var all strings.Builder
	for _, r := range b.Rules {
		writeRefs(&all, r.Check)
	}
	return all.String()
}

func writeRefs(w *strings.Builder, c *Check) {
	if c == nil {
		return
	}
	for _, part := range slices.Concat(c.All, c.Any, []*Check{c.Not}) {
		writeRefs(w, part)
	}
	if c.Leaf == nil {
		return
	}
	for _, o := range c.Leaf.Args {
		if o.Ref != "" {
			w.WriteString("${" + o.Ref + "}")
		}
	}
	for _, f := range slices.Concat(c.Leaf.Where, c.Leaf.Expect) {
		for _, test := range f.Condition {
			if test.Operand.Ref != "" {
				w.WriteString("${" + test.Operand.Ref + "}")
			}
		}
	}
}
