// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogins(t *testing.T) {
	root := plainHost.with(files{"var/log/lastlog": ""}).host(t)
	file, err := os.OpenFile(filepath.Join(root, "var/log/lastlog"), os.O_WRONLY, 0)
	require.NoError(t, err)
	record := make([]byte, 292)
	binary.LittleEndian.PutUint32(record, uint32(time.Now().AddDate(0, 0, -100).Unix()))
	_, err = file.WriteAt(record, 0)
	require.NoError(t, err)
	binary.LittleEndian.PutUint32(record, uint32(time.Now().Unix()))
	_, err = file.WriteAt(record, 1000*292)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	for check, want := range map[string]Verdict{
		`{login: {where: {name: root}, expect: {days_ago: {min: 99, max: 101}}}}`:         Pass,
		`{login: {where: {name: root}, expect: {days_ago: {max: 90}}}}`:                   Fail,
		`{login: {where: {name: ana}, expect: {days_ago: {max: 1}, never: false}}}`:       Pass,
		`{login: {where: {name: daemon}, expect: {never: true, days_ago: {set: false}}}}`: Pass,
		`{login: {where: {interactive: true, password: usable}, expect: {never: false}}}`: Pass,
	} {
		assert.Equal(t, want, judge(t, root, check).Verdict, check)
	}
	assert.Equal(t, Failure, judge(t, plainHost.host(t), `{login: {expect: {never: true}}}`).Verdict, "nobody knows without the file")
}

func TestFirmware(t *testing.T) {
	const vars = "sys/firmware/efi/efivars/"
	const global = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	secure := plainHost.with(files{vars + "SecureBoot" + global: "\x06\x00\x00\x00\x01", vars + "SetupMode" + global: "\x06\x00\x00\x00\x00",
		"sys/class/tpm/tpm0/tpm_version_major": "2\n"})
	check := `{firmware: {expect: {efi: true, secure_boot: true, setup_mode: false, tpm: "2.0"}}}`
	assert.Equal(t, Pass, judge(t, secure.host(t), check).Verdict)
	assert.Equal(t, Fail, judge(t, secure.with(files{vars + "SecureBoot" + global: "\x06\x00\x00\x00\x00"}).host(t), check).Verdict)
	assert.Equal(t, Failure, judge(t, secure.with(files{vars + "SetupMode" + global: "\x06"}).host(t), check).Verdict)
	assert.Equal(t, Pass, judge(t, plainHost.host(t), `{firmware: {expect: {efi: false, secure_boot: false, tpm: {set: false}}}}`).Verdict)
}
