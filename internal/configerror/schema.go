// SPDX-License-Identifier: Apache-2.0

package configerror

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/service"
)

// schema knows the keys of the configuration from the types of the components' configurations.
type schema struct {
	factories otelcol.Factories
}

// keys returns the sorted keys that a section may have, and nothing where that is not known.
func (s schema) keys(path []string) []string {
	switch {
	case len(path) == 0:
		return []string{"connectors", "exporters", "extensions", "processors", "receivers", "service"}
	case path[0] != "service":
		if len(path) < 2 {
			return nil
		}
		return keysAt(reflect.TypeOf(s.componentConfig(path[0], path[1])), path[2:])
	case len(path) > 1 && path[1] == "telemetry":
		if s.factories.Telemetry == nil {
			return nil
		}
		return keysAt(reflect.TypeOf(s.factories.Telemetry.CreateDefaultConfig()), path[2:])
	}
	return keysAt(reflect.TypeFor[service.Config](), path[1:])
}

func (s schema) componentConfig(section, name string) component.Config {
	var id component.ID
	if err := id.UnmarshalText([]byte(name)); err != nil {
		return nil
	}
	switch section {
	case "receivers":
		return defaultOf(s.factories.Receivers, id)
	case "processors":
		return defaultOf(s.factories.Processors, id)
	case "exporters":
		return defaultOf(s.factories.Exporters, id)
	case "connectors":
		return defaultOf(s.factories.Connectors, id)
	case "extensions":
		return defaultOf(s.factories.Extensions, id)
	}
	return nil
}

func defaultOf[F component.Factory](factories map[component.Type]F, id component.ID) component.Config {
	factory, ok := factories[id.Type()]
	if !ok {
		return nil
	}
	return factory.CreateDefaultConfig()
}

// keysAt follows the path through the types of the fields.
func keysAt(t reflect.Type, path []string) []string {
	for _, part := range path {
		if t = fieldType(t, part); t == nil {
			return nil
		}
	}
	return slices.Sorted(maps.Keys(fieldsOf(t)))
}

func fieldType(t reflect.Type, name string) reflect.Type {
	t = plain(t)
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Map, reflect.Slice:
		return t.Elem()
	case reflect.Struct:
		return fieldsOf(t)[name]
	}
	return nil
}

// fieldsOf maps the keys of a struct to their types, by the tags that the Collector reads.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	if t = plain(t); t == nil || t.Kind() != reflect.Struct {
		return fields
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case strings.Contains(options, "squash"):
			maps.Copy(fields, fieldsOf(field.Type))
		case name == "-" || strings.Contains(options, "remain") || !field.IsExported():
		case name == "":
			fields[strings.ToLower(field.Name)] = field.Type
		default:
			fields[name] = field.Type
		}
	}
	return fields
}

// plain looks through pointers and the Collector's optional values, whose Get returns a pointer
// to what they hold.
func plain(t reflect.Type) reflect.Type {
	for t != nil {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
			continue
		}
		get, ok := reflect.PointerTo(t).MethodByName("Get")
		if !ok || !strings.HasPrefix(t.Name(), "Optional[") || get.Type.NumOut() != 1 {
			return t
		}
		t = get.Type.Out(0)
	}
	return nil
}
