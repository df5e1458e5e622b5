// SPDX-License-Identifier: Apache-2.0

//go:build !linux || !amd64

package doctor

import (
	"errors"

	"github.com/vedette-sec/vedette/internal/enforce"
)

func heldPolicies() (*enforce.Held, error) { return nil, nil }

func eventTiers() ([]KindTier, error) {
	return nil, errors.New("the sensor runs on Linux on x86-64 only")
}
