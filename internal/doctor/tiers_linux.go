// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package doctor

import (
	"errors"
	"fmt"

	"github.com/vedette-sec/vedette/internal/enforce"
	enforcers "github.com/vedette-sec/vedette/internal/enforce/host"
	"github.com/vedette-sec/vedette/internal/event"
	"github.com/vedette-sec/vedette/internal/sensor"
)

func heldPolicies() (*enforce.Held, error) { return enforcers.Look(enforcers.DefaultPins) }

// kinds are the sensor's kinds and their names, in the order they are reported.
var kinds = []struct {
	kind sensor.Kind
	name string
}{
	{sensor.KindExec, event.KindProcessExec},
	{sensor.KindFork, event.KindProcessFork},
	{sensor.KindExit, event.KindProcessExit},
	{sensor.KindOpen, event.KindFileOpen},
	{sensor.KindFileAccess, event.KindFileAccess},
	{sensor.KindCreate, event.KindFileCreate},
	{sensor.KindDelete, event.KindFileDelete},
	{sensor.KindRename, event.KindFileRename},
	{sensor.KindConnect, event.KindNetworkConnect},
	{sensor.KindAccept, event.KindNetworkAccept},
	{sensor.KindBind, event.KindNetworkBind},
	{sensor.KindListen, event.KindNetworkListen},
	{sensor.KindDNS, event.KindDNSQuery},
	{sensor.KindAttributes, event.KindFileAttributes},
	{sensor.KindAccess, event.KindProcessAccess},
	{sensor.KindInject, event.KindProcessInject},
	{sensor.KindSetID, event.KindProcessSetid},
	{sensor.KindImageLoad, event.KindProcessImageLoad},
	{sensor.KindModuleLoad, event.KindKernelModuleLoad},
	{sensor.KindModuleUnload, event.KindKernelModuleUnload},
}

// ringSize is enough for a sensor whose events nobody reads.
const ringSize = 64 << 10

// eventTiers attaches the whole sensor, as the receiver would, and asks it how each kind is served.
func eventTiers() (tiers []KindTier, err error) {
	opts := sensor.Options{ProcessRing: ringSize, ActivityRing: ringSize}
	for _, k := range kinds {
		opts.Kinds = append(opts.Kinds, k.kind)
	}
	opts.Kinds = append(opts.Kinds, sensor.KindStdio)
	s, err := sensor.Open(opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := s.Close(); failed != nil {
			err = errors.Join(err, fmt.Errorf("detach the sensor: %w", failed))
		}
	}()
	served := map[sensor.Kind]sensor.KindTier{}
	for _, t := range s.Tiers() {
		served[t.Kind] = t
	}
	for _, k := range kinds {
		tiers = append(tiers, describe(k.name, served[k.kind]))
	}
	remote := worse(served[sensor.KindConnect], served[sensor.KindAccept])
	if streams := served[sensor.KindStdio]; streams.Err != nil {
		remote = streams
	}
	return append(tiers, describe(event.KindProcessRemoteStdio, remote)), nil
}

// worse is how an event is served that the receiver derives from both kinds.
func worse(a, b sensor.KindTier) sensor.KindTier {
	if b.Err != nil || a.Err == nil && b.Tier > a.Tier {
		return b
	}
	return a
}

func describe(name string, t sensor.KindTier) KindTier {
	out := KindTier{Kind: name, Absent: t.Absent}
	switch {
	case t.Err != nil:
		out.Reason = t.Err.Error()
	case t.Absent == "":
		out.Tier = t.Tier.String()
	}
	for _, r := range t.Rejected {
		out.Rejected = append(out.Rejected, Rejection{Tier: r.Tier.String(), Reason: r.Reason})
	}
	return out
}
