// SPDX-License-Identifier: Apache-2.0

//go:build !(linux && amd64)

package ebpfreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
)

func createLogs(context.Context, receiver.Settings, component.Config, consumer.Logs) (receiver.Logs, error) {
	return nil, errors.New("the ebpf receiver runs on Linux on x86-64 only")
}
