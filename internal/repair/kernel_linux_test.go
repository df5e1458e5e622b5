// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// underKernel repairs the running kernel of the container, and what is mounted in it.
func underKernel(t *testing.T) {
	mount(t, "tmpfs", "/srv", "tmpfs", 0, "size=1m")
	const fstab = "tmpfs /srv tmpfs size=1m 0 0\n"
	require.NoError(t, os.WriteFile("/etc/fstab", []byte(fstab), 0o644))
	program := filepath.Join("/srv", "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755))
	keys := []string{"/proc/sys/net/ipv4/conf/all/log_martians", "/proc/sys/net/ipv4/conf/all/accept_redirects"}
	for _, key := range keys {
		require.NoError(t, os.WriteFile(key, []byte("0\n"), 0o644))
	}
	r := &Repairer{root: "/"}
	options, err := r.mountOptions("/srv")
	require.NoError(t, err)
	b := loadBaseline(t, "testdata/systemd.yaml", "systemd")
	for _, rule := range []string{"sysctl", "mount"} {
		require.Equal(t, baseline.Fail, verdict(t, "/", b, rule))
		report := fix(t, "/", b, rule)
		require.Equal(t, Fixed, report.Rules[0].Result, report.Rules[0].Reason)
		require.Equal(t, baseline.Pass, verdict(t, "/", b, rule))
		assert.Empty(t, fix(t, "/", b, rule).Rules)
		if rule == "mount" {
			_, err := os.StartProcess(program, []string{program}, &os.ProcAttr{})
			assert.ErrorIs(t, err, os.ErrPermission, "nothing can be run from there")
		}
		_, err := rollback(t, "/", Back{Transaction: report.Transaction})
		require.NoError(t, err)
		require.Equal(t, baseline.Fail, verdict(t, "/", b, rule))
	}
	now, err := r.mountOptions("/srv")
	require.NoError(t, err)
	assert.Equal(t, options, now)
	assert.Equal(t, fstab, readText(t, "/", "etc/fstab"))
	for _, key := range keys {
		assert.Equal(t, "0\n", readText(t, "/", key))
	}
	assert.NoFileExists(t, "/etc/sysctl.d/zz-vedette-sysctl.conf")
}
