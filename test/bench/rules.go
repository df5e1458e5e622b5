// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// ruleText is a Sigma rule as an engine reads it.
type ruleText struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// processRules reads the rules of a directory that are about the start of a process, in the order of their paths.
func processRules(dir string) ([]ruleText, error) {
	return readRules(dir, "category: process_creation")
}

// readRules reads the rules of a directory that have a text in them.
func readRules(dir, having string) ([]ruleText, error) {
	var rules []ruleText
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte(having)) {
			rules = append(rules, ruleText{path, string(text)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return rules, nil
}

// manyRules adds copies to the rules until there are n. Each copy looks for other texts than the rule it comes from.
func manyRules(rules []ruleText, n int) ([]ruleText, error) {
	many := rules[:min(n, len(rules))]
	for i := len(many); i < n && len(rules) > 0; i++ {
		original, copied := rules[i%len(rules)], i/len(rules)
		text, err := varied(original.Text, copied)
		if err != nil {
			return nil, fmt.Errorf("vary the rule %s: %w", original.Name, err)
		}
		many = append(many, ruleText{fmt.Sprintf("%s#%d", original.Name, copied), text})
	}
	return many, nil
}

// varied gives a rule with a number put into each text that it looks for, and into its id and title.
func varied(text string, copied int) (string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return "", err
	}
	root := doc.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		value := root.Content[i+1]
		switch root.Content[i].Value {
		case "id":
			value.Value = value.Value[:max(0, len(value.Value)-12)] + fmt.Sprintf("%012d", copied)
		case "title":
			value.Value += " " + strconv.Itoa(copied)
		case "detection":
			varyDetection(value, copied)
		}
	}
	out, err := yaml.Marshal(root)
	return string(out), err
}

// varyDetection leaves conditions and regular expressions as they are.
func varyDetection(n *yaml.Node, copied int) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key := n.Content[i].Value; key != "condition" && !strings.Contains(key, "|re") {
				varyDetection(n.Content[i+1], copied)
			}
		}
	case yaml.SequenceNode:
		for _, element := range n.Content {
			varyDetection(element, copied)
		}
	case yaml.ScalarNode:
		if n.ShortTag() == "!!str" {
			n.Value = variedText(n.Value, copied)
		}
	}
}

// variedText puts the number behind the last letter or digit.
func variedText(s string, copied int) string {
	at := strings.LastIndexFunc(s, func(r rune) bool { return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) })
	if at < 0 {
		return s
	}
	return s[:at+1] + strconv.Itoa(copied) + s[at+1:]
}
