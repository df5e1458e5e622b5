// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"encoding/json"
	"fmt"
	"slices"
)

// object is a part of a JSON Schema.
type object map[string]any

// Schema gives the JSON Schema of templates and waivers. It is made from what the parser knows.
func Schema() ([]byte, error) {
	text := object{"type": "string", "minLength": 1, "pattern": `\S`}
	schema := object{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"title":       "A baseline template of Vedette, or a list of waivers",
		"oneOf":       []object{{"$ref": "#/$defs/template"}, {"$ref": "#/$defs/waivers"}},
		"$defs":       definitions(text),
		"description": "See docs/baseline.md",
	}
	encoded, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(encoded, '\n'), nil
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func listOf(items object) object { return object{"type": "array", "items": items, "minItems": 1} }

func mapOf(values object) object {
	return object{"type": "object", "propertyNames": ref("id"), "additionalProperties": values}
}

func closed(required []string, properties object) object {
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

func oneOfWords[T ~string](all []T) object { return object{"enum": all} }

func definitions(text object) object {
	scalar := object{"type": []string{"string", "number", "boolean"}}
	// Readers of YAML that know dates make times of them.
	date := object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T00:00:00Z)?$`}
	defs := object{
		"id":        object{"type": []string{"string", "number"}, "pattern": `^[a-z0-9][a-z0-9._-]{0,79}$`},
		"scalar":    scalar,
		"operand":   object{"oneOf": []object{scalar, {"type": "array", "items": scalar}}},
		"reference": object{"type": "string", "pattern": `^\$\{[a-z][a-z0-9_]*\}$`},
		"literal":   object{"allOf": []object{ref("operand"), {"not": ref("reference")}}},
		"bilingual": object{"oneOf": []object{text, closed([]string{"en"}, object{"en": text, "zh": text})}},
		"maps":      mapOf(listOf(scalar)),
		"severity":  oneOfWords(severities),
		"waivers": closed([]string{"waivers"}, object{"waivers": listOf(closed(
			[]string{"rule", "owner", "approver", "reason", "expires"},
			object{"rule": ref("id"), "template": ref("id"), "owner": text, "approver": text, "reason": text, "expires": date}))}),
		"value":    valueSchema(),
		"override": closed(nil, object{"severity": ref("severity"), "profiles": listOf(ref("id")), "maps": ref("maps")}),
		"applies": closed(nil, object{"os": listOf(ref("id")), "version": listOf(scalar), "container": object{"type": "boolean"},
			"role": listOf(ref("id")), "check": ref("check")}),
		"check": checkSchema(),
		"step":  stepSchema(),
	}
	for k, name := range kindNames {
		defs["operand_"+name] = operandSchema(k)
		defs["condition_"+name] = conditionSchema(k)
	}
	defs["rule"] = closed([]string{"id", "title"}, object{
		"id": ref("id"), "title": ref("bilingual"), "rationale": ref("bilingual"), "severity": ref("severity"), "profiles": listOf(ref("id")),
		"maps": ref("maps"), "applies": ref("applies"), "check": ref("check"), "manual": ref("bilingual"),
		"fix": listOf(ref("step")), "undo": oneOfWords(undoClasses),
	})
	defs["rule"].(object)["dependentRequired"] = object{"fix": []string{"check", "undo"}, "undo": []string{"fix"}}
	defs["rule"].(object)["anyOf"] = []object{{"required": []string{"check"}}, {"required": []string{"manual"}}}
	defs["template"] = closed([]string{"template", "title"}, object{
		"template": ref("id"), "title": ref("bilingual"), "extends": ref("id"), "profiles": mapOf(ref("bilingual")), "values": namedValues(ref("value")),
		"set": namedValues(ref("literal")), "override": mapOf(ref("override")), "disable": mapOf(text), "rules": listOf(ref("rule")),
	})
	return defs
}

func namedValues(values object) object {
	o := mapOf(values)
	o["propertyNames"] = object{"pattern": `^[a-z][a-z0-9_]{0,62}$`}
	return o
}

// valueSchema gives a value's default the form of its type, and only numbers a floor and a ceiling.
func valueSchema() object {
	o := closed([]string{"default", "title"}, object{"type": oneOfWords(valueTypes), "default": ref("literal"),
		"min": object{"type": "integer"}, "max": object{"type": "integer"}, "title": ref("bilingual")})
	is := func(t ValueType) object {
		return object{"properties": object{"type": object{"const": t}}, "required": []string{"type"}}
	}
	must := func(form object) object { return object{"properties": object{"default": form}} }
	isNumber := object{"anyOf": []object{is(IntValue), {"not": object{"required": []string{"type"}}}}}
	o["allOf"] = []object{
		{"if": isNumber, "then": must(ref("operand_number")), "else": object{"not": object{"anyOf": []object{{"required": []string{"min"}}, {"required": []string{"max"}}}}}},
		{"if": is(ListValue), "then": must(object{"type": "array"}), "else": must(ref("scalar"))},
		{"if": is(ModeValue), "then": must(ref("operand_mode"))},
	}
	return o
}

// operandSchema is what a value of a kind is compared with.
func operandSchema(k kind) object {
	forms := map[kind][]object{
		kindNumber: {{"type": "integer"}, {"type": "string", "pattern": `^[+-]?[0-9]+$`}},
		kindFlag:   {{"type": "boolean"}, {"enum": []string{"true", "false"}}},
		// Readers of YAML make numbers of octal digits, each in its way.
		kindMode: {{"type": "integer"}, {"type": "string", "pattern": `^0?[0-7]{3,4}$`}},
	}[k]
	if forms == nil {
		return ref("scalar")
	}
	return object{"anyOf": append(forms, ref("reference"))}
}

func checkSchema() object {
	properties := object{"all": listOf(ref("check")), "any": listOf(ref("check")), "not": ref("check")}
	for name, t := range tables {
		properties[name] = t.schema()
	}
	o := closed(nil, properties)
	o["minProperties"], o["maxProperties"] = 1, 1
	return o
}

func (t *table) schema() object {
	fields := t.conditions()
	properties := object{"where": fields, "expect": fields, "count": ref("condition_number"), "some": object{"type": "boolean"}, "if_none": oneOfWords(ifNone)}
	o := closed(addParameters(properties, t.params), properties)
	o["description"] = t.about
	o["if"] = object{"properties": object{"some": object{"const": true}}, "required": []string{"some"}}
	o["then"] = object{"required": []string{"expect"}}
	return o
}

func (t *table) conditions() object {
	conditions := object{}
	for field, k := range t.fields {
		conditions[field] = ref("condition_" + kindNames[k])
	}
	fields := closed(nil, conditions)
	fields["minProperties"] = 1
	return fields
}

// addParameters adds to what an object may have, and gives the names of those that it must have.
func addParameters(properties object, params map[string]param) (required []string) {
	for _, name := range sortedKeys(params) {
		properties[name] = ref("scalar")
		if params[name].list {
			properties[name] = ref("operand")
		}
		if params[name].required {
			required = append(required, name)
		}
	}
	return required
}

func stepSchema() object {
	properties := object{}
	for name, kind := range stepKinds {
		properties[name] = kind.schema()
	}
	o := closed(nil, properties)
	o["minProperties"], o["maxProperties"] = 1, 1
	return o
}

func (k *stepKind) schema() object {
	properties := object{}
	required := addParameters(properties, k.params)
	if k.keep {
		properties["keep"] = ref("condition_text")
	}
	if k.where != nil {
		properties["where"] = k.where.conditions()
		required = append(required, "where")
	}
	o := closed(required, properties)
	o["description"] = k.about
	if len(k.any) > 0 {
		var one []object
		for _, name := range k.any {
			one = append(one, object{"required": []string{name}})
		}
		o["anyOf"] = one
	}
	return o
}

func conditionSchema(k kind) object {
	tests := object{}
	operand := ref("operand_" + kindNames[k])
	for _, name := range operatorsOf(k) {
		tests[name] = operand
		switch {
		case name == "set":
			tests[name] = object{"type": "boolean"}
		case operators[name].list:
			tests[name] = object{"oneOf": []object{{"type": "array", "items": operand}, ref("reference")}}
		case name == "min", name == "max":
			tests[name] = ref("operand_number")
		}
	}
	o := closed(nil, tests)
	o["minProperties"] = 1
	if !slices.Contains(operatorsOf(k), "equals") {
		return o
	}
	return object{"oneOf": []object{operand, o}}
}
