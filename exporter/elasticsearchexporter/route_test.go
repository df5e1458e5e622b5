// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

func TestRoute(t *testing.T) {
	for name, tc := range map[string]struct {
		event      string
		attributes map[string]any
		change     func(*Config)
		want       string
	}{
		"alert":               {event: event.KindSecurityAlert, want: "logs-vedette.alert-default"},
		"annotated event":     {event: event.KindProcessExec, attributes: map[string]any{event.AttrEventKind: "alert"}, want: "logs-vedette.alert-default"},
		"process":             {event: event.KindProcessExec, want: "logs-vedette.process-default"},
		"file":                {event: event.KindFileOpen, want: "logs-vedette.file-default"},
		"network":             {event: event.KindDNSQuery, want: "logs-vedette.network-default"},
		"kernel":              {event: event.KindKernelModuleLoad, want: "logs-vedette.kernel-default"},
		"enforcement":         {event: event.KindResponseAction, want: "logs-vedette.enforcement-default"},
		"foreign":             {event: "app.login", want: "logs-vedette.generic-default"},
		"by attribute":        {event: event.KindFileOpen, attributes: map[string]any{attrDataset: "My-Set", attrNamespace: "Team/1"}, want: "logs-my_set-team_1"},
		"by config":           {event: event.KindFileOpen, change: func(c *Config) { c.DataStream = DataStreamConfig{Dataset: "all", Namespace: "prod"} }, want: "logs-all-prod"},
		"attribute wins":      {event: event.KindFileOpen, attributes: map[string]any{attrNamespace: "dev"}, change: func(c *Config) { c.DataStream.Namespace = "prod" }, want: "logs-vedette.file-dev"},
		"otel":                {event: event.KindFileOpen, change: func(c *Config) { c.Mapping.Mode = modeOTel }, want: "logs-vedette.file.otel-default"},
		"index by config":     {event: event.KindFileOpen, change: func(c *Config) { c.Index = "one" }, want: "one"},
		"index by attribute":  {event: event.KindFileOpen, attributes: map[string]any{attrIndex: "-Two"}, change: func(c *Config) { c.Index = "one" }, want: "two"},
		"index that is none":  {event: event.KindFileOpen, attributes: map[string]any{attrIndex: ".."}, want: "logs-vedette.file-default"},
		"not text is ignored": {event: event.KindFileOpen, attributes: map[string]any{attrNamespace: 7}, want: "logs-vedette.file-default"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			if tc.change != nil {
				tc.change(cfg)
			}
			record := plog.NewLogRecord()
			record.SetEventName(tc.event)
			require.NoError(t, record.Attributes().FromRaw(tc.attributes))
			var h hints
			h.read(record.Attributes())
			r := newRouter(cfg)
			for range 2 { // the second time it is remembered
				have, stream := r.route(record, &h)
				assert.Equal(t, tc.want, have)
				if stream.Dataset != "" {
					assert.Equal(t, tc.want, "logs-"+stream.Dataset+"-"+stream.Namespace)
				}
			}
		})
	}
}

func FuzzSanitize(f *testing.F) {
	f.Add("A-b/ü")
	f.Add("..")
	f.Add(strings.Repeat("é", 200))
	f.Fuzz(func(t *testing.T, name string) {
		for _, have := range []string{sanitizeDataset(name), sanitizeIndex(name)} {
			assert.True(t, utf8.ValidString(have))
			assert.LessOrEqual(t, len(have), maxIndex)
			assert.False(t, strings.ContainsAny(have, `\/*?"<>| ,#:`), have)
			assert.Equal(t, strings.ToLower(have), have)
		}
		assert.NotContains(t, sanitizeDataset(name), "-")
		index := sanitizeIndex(name)
		assert.NotContains(t, []string{".", ".."}, index)
		assert.Equal(t, index, strings.TrimLeft(index, "-_+"))
		assert.Equal(t, index, sanitizeIndex(index), "it is at rest")
	})
}
