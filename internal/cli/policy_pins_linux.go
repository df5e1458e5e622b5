// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package cli

import (
	"github.com/vedette-sec/vedette/internal/enforce"
	enforcers "github.com/vedette-sec/vedette/internal/enforce/host"
)

const defaultPins = enforcers.DefaultPins

func lookAtPins(pins string) (*enforce.Held, error) { return enforcers.Look(pins) }

func releasePins(pins, token string) error { return enforcers.Release(pins, "", token) }
