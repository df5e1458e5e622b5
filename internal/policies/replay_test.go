// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package policies

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/internal/eventlog"
	"github.com/vedette-sec/vedette/pkg/policy"
)

const recorded = `{"@timestamp":"2026-03-04T05:06:07Z","event":{"action":"open","category":["file"],"kind":"event","dataset":"vedette.file"},"file":{"path":"/srv/none/a"},"process":{"executable":"/usr/sbin/none","pid":7,"user":{"name":"www"},"ancestors":["/usr/sbin/other[6]"]}}
{"@timestamp":"2026-03-04T05:06:08Z","event":{"action":"delete","category":["file"],"kind":"event","dataset":"vedette.file"},"file":{"path":"/srv/none/a"},"process":{"executable":"/usr/bin/rm\u001b","pid":8,"user":{"name":"root"}}}
{"@timestamp":"2026-03-04T05:06:09Z","event":{"action":"delete","category":["file"],"kind":"event","dataset":"vedette.file"},"file":{"path":"/srv/none/b"},"process":{"executable":"/usr/bin/rm","pid":9,"user":{"name":"root"}}}
{"@timestamp":"2026-03-04T05:06:10Z","event":{"action":"connect","category":["network"],"kind":"event","dataset":"vedette.network"},"destination":{"ip":"203.0.113.9","port":443},"network":{"transport":"tcp"},"process":{"executable":"/usr/sbin/none","pid":7}}
{"@timestamp":"2026-03-04T05:06:11Z","event":{"action":"exit","category":["process"],"kind":"event","dataset":"vedette.process"},"process":{"executable":"/usr/sbin/none","pid":7}}
no document
`

func TestReplay(t *testing.T) {
	parsed, err := policy.Parse("p.yaml", []byte(`
policy: data
mode: enforce
rules:
  - {name: files, files: {paths: [/srv/none/**], operations: tamper}, allow: [{executable: /usr/sbin/none, user: www, unit: a.service}, {executable: /usr/sbin/other}]}
  - {name: egress, mode: audit, network: {only: ["10.0.0.0/8"]}}
`))
	require.NoError(t, err)
	replay := NewReplay(&policy.Set{Policies: parsed})
	require.NoError(t, eventlog.NewDecoder().Read("log", strings.NewReader(recorded), replay.Take, replay.Broken))
	report := replay.Report()
	assert.Equal(t, 5, report.Records)
	assert.Equal(t, 4, report.Judged)
	assert.Equal(t, 1, report.Unread)
	var out bytes.Buffer
	require.NoError(t, report.WriteText(&out))
	golden(t, "replay.txt", out.Bytes())
}
