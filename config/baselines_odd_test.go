// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// TestDirectoriesInThePlaceOfFilesFail has directories that no mode or owner is wrong of where files are expected.
func TestDirectoriesInThePlaceOfFilesFail(t *testing.T) {
	for _, tt := range []struct{ template, rule, path string }{
		{"mlps-l2", "files.accounts", "/etc/passwd"},
		{"mlps-l2", "files.accounts", "/etc/shadow"},
		{"mlps-l2", "files.accounts", "/etc/sudoers"},
		{"cis-debian12", "cis-6.2.4.5", "/etc/audit/auditd.conf"},
		{"cis-debian12", "cis-6.2.4.6", "/etc/audit/auditd.conf"},
		{"cis-debian12", "cis-7.1.5", "/etc/shadow"},
		{"cis-debian12", "cis-7.1.9", "/etc/shells"},
	} {
		t.Run(tt.rule+" "+tt.path, func(t *testing.T) {
			b := resolved(t, tt.template)[0]
			root := hosts([]*baseline.Baseline{b})["good"].write(t)
			judged := func() *baseline.Result {
				result, err := b.Judge(t.Context(), tt.rule, root)
				require.NoError(t, err)
				return result
			}
			require.Equal(t, baseline.Pass, judged().Verdict)
			full := filepath.Join(root, tt.path)
			require.NoError(t, os.RemoveAll(full))
			require.NoError(t, os.Mkdir(full, 0o400))
			got := judged()
			assert.Equal(t, baseline.Fail, got.Verdict, got.Reason)
			assert.True(t, slices.ContainsFunc(got.Evidence, func(e baseline.Evidence) bool {
				return !e.OK && e.Subject == tt.path && e.Field == "type" && e.Actual == "directory" && e.Expected == "is file"
			}), "%v", got.Evidence)
		})
	}
}
