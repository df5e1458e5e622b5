// SPDX-License-Identifier: Apache-2.0

//go:build !linux || !amd64

package doctor

import "errors"

func eventTiers() ([]KindTier, error) {
	return nil, errors.New("the sensor runs on Linux on x86-64 only")
}
