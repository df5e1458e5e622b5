// SPDX-License-Identifier: Apache-2.0

package securitylogexporter

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/exporter/securitylogexporter/internal/metadata"
	"github.com/vedette-sec/vedette/internal/ecs"
	"github.com/vedette-sec/vedette/internal/ocsf"
)

// encoder appends a record as one line of JSON.
type encoder interface {
	AppendDocument(dst []byte, resource pcommon.Resource, record plog.LogRecord) []byte
}

func newEncoder(format string) encoder {
	if format == formatOCSF {
		return ocsf.NewEncoder()
	}
	return ecs.NewEncoder()
}

// securityLog writes batches of records to the file and shows them on the terminal.
type securityLog struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	stdout    *os.File

	mu       sync.Mutex // serializes batches
	encoder  encoder
	buffer   []byte
	file     *logFile  // nil while stopped
	terminal *terminal // nil where records are not shown
}

func newSecurityLog(cfg *Config, set component.TelemetrySettings) (*securityLog, error) {
	telemetry, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	return &securityLog{
		cfg: cfg, logger: set.Logger, telemetry: telemetry, stdout: os.Stdout, encoder: newEncoder(cfg.Format),
	}, nil
}

func (e *securityLog) start(context.Context, component.Host) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	file, err := openLogFile(filepath.Join(e.cfg.Directory, e.cfg.FileName), e.cfg.Rotation)
	if err != nil {
		return err
	}
	e.file = file
	e.terminal = newTerminal(e.cfg.Terminal, e.stdout)
	return nil
}

func (e *securityLog) shutdown(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.terminal != nil {
		e.terminal.close()
		e.terminal = nil
	}
	if e.file == nil {
		return nil
	}
	err := e.file.close()
	e.file = nil
	return err
}

// push writes the batch as whole lines in one write, then shows it. Every error may pass, such as
// that of a full disk, and leaves nothing of the batch in the file, so the batch can be tried again.
func (e *securityLog) push(ctx context.Context, logs plog.Logs) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.encode(logs)
	if err := e.file.write(e.buffer); err != nil {
		return err
	}
	e.telemetry.ExporterSecuritylogLines.Add(ctx, int64(logs.LogRecordCount()))
	e.telemetry.ExporterSecuritylogWritten.Add(ctx, int64(len(e.buffer)))
	if e.terminal != nil {
		e.show(ctx, logs)
	}
	return nil
}

// keepBuffer is the largest buffer, in bytes, kept from one batch to the next.
const keepBuffer = 1 << 20

func (e *securityLog) encode(logs plog.Logs) {
	if cap(e.buffer) > keepBuffer {
		e.buffer = nil
	}
	e.buffer = e.buffer[:0]
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				e.buffer = e.encoder.AppendDocument(e.buffer, rl.Resource(), lr)
				e.buffer = append(e.buffer, '\n')
			}
		}
	}
}

// show prints the batch. The terminal is a convenience: what it does not take is counted, not tried again.
func (e *securityLog) show(ctx context.Context, logs plog.Logs) {
	var lost int64
	var last error
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				if err := e.terminal.show(lr); err != nil {
					lost, last = lost+1, err
				}
			}
		}
	}
	if lost > 0 {
		e.telemetry.ExporterSecuritylogTerminalLost.Add(ctx, lost)
		e.logger.Warn("The terminal did not take records; the security log has them", zap.Int64("records", lost), zap.Error(last))
	}
}
