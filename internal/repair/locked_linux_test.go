// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/internal/ring"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// lockAudit has the kernel take no other audit rules until the guest starts again.
func lockAudit(t *testing.T) {
	const auditSet, validEnabled, immutable = 1001, 1, 2
	conn, err := netlink.Dial(unix.NETLINK_AUDIT, nil)
	require.NoError(t, err)
	defer conn.Close()
	status := make([]byte, 40)
	nlenc.PutUint32(status[:4], validEnabled)
	nlenc.PutUint32(status[4:8], immutable)
	_, err = conn.Send(netlink.Message{Header: netlink.Header{Type: auditSet, Flags: netlink.Request | netlink.Acknowledge}, Data: status})
	require.NoError(t, err)
	_, err = conn.Receive()
	require.NoError(t, err)
}

// TestAuditRulesThatAreLocked repairs where the kernel takes no audit rules before the next start: that is said, done once, and taken back.
func TestAuditRulesThatAreLocked(t *testing.T) {
	ring.Require(t, ring.VM)
	b := loadBaseline(t, "testdata/primitives.yaml", "primitives")
	require.NoError(t, os.MkdirAll("/etc/audit/rules.d", 0o755))
	require.NoError(t, os.MkdirAll("/var/lib", 0o755))
	before := snapshot(t, "/etc")
	require.Equal(t, Undone, fix(t, "/", b, "audit").Rules[0].Result, "nothing here has the kernel take what is in files")
	lockAudit(t)
	report := fix(t, "/", b, "audit")
	require.Len(t, report.Rules, 1)
	assert.Equal(t, Restart, report.Rules[0].Result, report.Rules[0].Reason)
	assert.Contains(t, report.Rules[0].Reason, "in force when the host has started again")
	assert.False(t, report.Failed())
	assert.Equal(t, baseline.Fail, verdict(t, "/", b, "audit"), "until then nothing is recorded")
	again := fix(t, "/", b, "audit")
	assert.Equal(t, Restart, again.Rules[0].Result)
	assert.Empty(t, again.Transaction, "once is enough")
	_, err := rollback(t, "/", Back{Transaction: report.Transaction})
	require.NoError(t, err)
	assertSame(t, before, snapshot(t, "/etc"), "rolled back")
}
