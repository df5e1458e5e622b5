// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package securitylogexporter

import (
	"errors"
	"os"
)

func openNonblocking(*os.File) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
