// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/goleak"

	"github.com/vedette-sec/vedette/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func batch(number int) plog.Logs {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutStr(event.AttrHostName, "web1")
	scope := resource.ScopeLogs().AppendEmpty()
	for i := range number%3 + 1 {
		record := scope.LogRecords().AppendEmpty()
		record.SetEventName(event.KindProcessExec)
		record.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(int64(number), int64(i))))
		record.Attributes().PutStr(event.AttrProcessCommandLine, fmt.Sprintf("job %d", number))
	}
	return logs
}

func written(t testing.TB, batches int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	require.NoError(t, err)
	for i := range batches {
		require.NoError(t, w.Write(batch(i)))
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func stored(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "work.otlp.zst")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

func TestRoundTrip(t *testing.T) {
	r, err := Open(stored(t, written(t, 500)))
	require.NoError(t, err)
	number := 0
	for logs, err := range r.All() {
		require.NoError(t, err)
		assert.Equal(t, batch(number), logs)
		number++
	}
	assert.Equal(t, 500, number)
	_, err = r.Next()
	assert.ErrorIs(t, err, io.EOF)
	require.NoError(t, r.Close())
}

func TestAllEndsWhenTheCallerDoes(t *testing.T) {
	r, err := NewReader(bytes.NewReader(written(t, 5)))
	require.NoError(t, err)
	for range r.All() {
		break
	}
	logs, err := r.Next()
	require.NoError(t, err)
	assert.Equal(t, batch(1), logs)
	require.NoError(t, r.Close())
}

// What the Collector writes is read as it is.
func TestReadsTheFileExporter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "work.otlp")
	factory := fileexporter.NewFactory()
	cfg := factory.CreateDefaultConfig().(*fileexporter.Config)
	cfg.Path, cfg.FormatType = path, "proto"
	exporter, err := factory.CreateLogs(context.Background(), exportertest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, exporter.Start(context.Background(), componenttest.NewNopHost()))
	for i := range 20 {
		require.NoError(t, exporter.ConsumeLogs(context.Background(), batch(i)))
	}
	require.NoError(t, exporter.Shutdown(context.Background()))

	r, err := Open(path)
	require.NoError(t, err)
	defer r.Close()
	for i := range 20 {
		logs, err := r.Next()
		require.NoError(t, err)
		assert.Equal(t, batch(i), logs)
	}
	_, err = r.Next()
	assert.ErrorIs(t, err, io.EOF)
}

func TestBrokenRecordings(t *testing.T) {
	whole := written(t, 50)
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 0xff
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"cut off":            {whole[:len(whole)-9], "unexpected EOF"},
		"damaged":            {damaged, "message "},
		"length cut off":     {[]byte{0, 0}, "message 1: broken recording: its length has 2 of 4 bytes: unexpected EOF"},
		"message cut off":    {[]byte{0, 0, 0, 9, 1, 2}, "message 1: broken recording: it has 2 of 9 bytes: unexpected EOF"},
		"length is a lie":    {[]byte{0xff, 0, 0, 0, 1}, "its length is said to be 4278190080 bytes, expected at most 67108864"},
		"not OTLP":           {[]byte{0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff}, "message 1: broken recording: "},
		"text":               {[]byte("{\"resourceLogs\":[]}\n"), "its length is said to be"},
		"needs much memory":  {wideWindow(t), "window size exceeded"},
		"ends in the middle": {compressed(t, []byte{0, 0, 0, 9, 1, 2}), "it has 2 of 9 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			path := stored(t, test.content)
			r, err := Open(path)
			require.NoError(t, err)
			defer r.Close()
			err = drain(r)
			assert.ErrorIs(t, err, ErrBroken)
			assert.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, path+": message ")
		})
	}
}

func TestEmptyRecording(t *testing.T) {
	for name, content := range map[string][]byte{"no bytes": nil, "no message": written(t, 0)} {
		t.Run(name, func(t *testing.T) {
			r, err := NewReader(bytes.NewReader(content))
			require.NoError(t, err)
			assert.NoError(t, drain(r))
			assert.NoError(t, r.Close())
		})
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "open the recording: open /")
}

func drain(r *Reader) error {
	for _, err := range r.All() {
		if err != nil {
			return err
		}
	}
	return nil
}

func compressed(t *testing.T, content []byte, options ...zstd.EOption) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, options...)
	require.NoError(t, err)
	defer encoder.Close()
	return encoder.EncodeAll(content, nil)
}

// wideWindow is a frame header that asks for more memory than a recording may.
func wideWindow(t *testing.T) []byte {
	t.Helper()
	const log128MiB = 27 - 10
	return append(bytes.Clone(magic), 0x00, log128MiB<<3, 0x01, 0x00, 0x00)
}

func FuzzReader(f *testing.F) {
	f.Add(written(f, 3))
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := NewReader(bytes.NewReader(content))
		if err != nil {
			return
		}
		if err := drain(r); err != nil && !errors.Is(err, ErrBroken) {
			t.Errorf("an error that says nothing of the recording: %v", err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Other programs can split a recording, as the length is all that stands between messages.
func TestWriterDelimits(t *testing.T) {
	decoder, err := zstd.NewReader(bytes.NewReader(written(t, 1)))
	require.NoError(t, err)
	defer decoder.Close()
	plain, err := io.ReadAll(decoder)
	require.NoError(t, err)
	assert.Equal(t, len(plain)-lengthSize, int(binary.BigEndian.Uint32(plain)))
}
