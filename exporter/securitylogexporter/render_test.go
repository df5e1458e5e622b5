// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/internal/event"
)

var update = flag.Bool("update", false, "write the golden files")

func record(t testing.TB, number plog.SeverityNumber, message string, attributes map[string]any) plog.LogRecord {
	lr := plog.NewLogRecord()
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(at))
	lr.SetEventName(event.KindProcessExec)
	lr.SetSeverityNumber(number)
	if message != "" {
		lr.Body().SetStr(message)
	}
	require.NoError(t, lr.Attributes().FromRaw(attributes))
	return lr
}

func renderSamples(t testing.TB) []plog.LogRecord {
	alert := plog.NewLogRecord()
	fillAlert(t, alert)
	return []plog.LogRecord{
		alert,
		record(t, plog.SeverityNumberError, "Bind shell", map[string]any{
			event.AttrNetworkDirection: "ingress", event.AttrSourceAddress: "2001:db8::7", event.AttrSourcePort: 40000,
			event.AttrDestinationAddress: "2001:db8::1", event.AttrDestinationPort: 99,
			event.AttrProcessExecutablePath: "memfd:x", event.AttrProcessPID: 5,
		}),
		record(t, plog.SeverityNumberWarn, "Shell on a socket", map[string]any{
			event.AttrProcessIOStdoutPeer: "203.0.113.9:4444", event.AttrContainerID: "c0ffee",
			event.AttrThreatTechniqueID: "T1059",
		}),
		record(t, plog.SeverityNumberInfo2, "Odd \x1b]0;title\x07 text\r\n\u009b31m \u202egnp.exe \xff", map[string]any{
			event.AttrProcessUserName: "eve\x1b[2J", event.AttrDestinationAddress: "10.0.0.1",
		}),
		record(t, plog.SeverityNumberInfo, "", nil),
		record(t, plog.SeverityNumberUnspecified, strings.Repeat("ü", 600), nil),
	}
}

func TestRenderGolden(t *testing.T) {
	for name, r := range map[string]renderer{
		"terminal.txt":        {location: time.FixedZone("", 2*3600)},
		"terminal-colour.txt": {location: time.UTC, colour: true},
	} {
		t.Run(name, func(t *testing.T) {
			var have []byte
			for _, lr := range renderSamples(t) {
				have = r.append(have, lr)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(golden, have, 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(have))
		})
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		`sh -c "id" C:\x ü漢`:   `sh -c "id" C:\x ü漢`,
		"\x1b[31mred":          `\x1b[31mred`,
		"a\nb\rc\td\x00\x7f":   `a\nb\rc\td\x00\x7f`,
		"\u009b2J":             `\u009b2J`,
		"\u202eabc\u2066":      `\u202eabc\u2066`,
		"\u2028|\u200b|\ufeff": `\u2028|\u200b|\ufeff`,
		"\xc3|\xff":            `\xc3|\xff`,
	} {
		assert.Equal(t, want, plain(in))
	}
}

func FuzzRender(f *testing.F) {
	f.Add("\x1b[31m", event.AttrProcessUserName)
	f.Add("\u202e\n\xff", event.AttrProcessAncestors)
	f.Add("ü", event.AttrThreatTechniqueID)
	f.Fuzz(func(t *testing.T, text, attribute string) {
		for _, value := range []any{text, []any{text, int64(1)}, map[string]any{text: text}} {
			out := string(renderer{location: time.UTC}.append(nil, record(t, 0, text, map[string]any{attribute: value})))
			require.True(t, utf8.ValidString(out), "%q", out)
			for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
				require.NotContains(t, strings.Map(func(r rune) rune {
					if unicode.IsPrint(r) {
						return -1
					}
					return '!'
				}, line), "!", "%q", line)
			}
		}
	})
}
