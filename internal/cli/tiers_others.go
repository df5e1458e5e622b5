// SPDX-License-Identifier: Apache-2.0

//go:build !linux || !amd64

package cli

import (
	"errors"

	"github.com/vedette-sec/vedette/internal/doctor"
)

func eventTiers() ([]doctor.KindTier, error) {
	return nil, errors.New("the sensor runs on Linux on x86-64 only")
}
