// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package lsm

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vedette-sec/vedette/bpf"
	"github.com/vedette-sec/vedette/internal/enforce"
	"github.com/vedette-sec/vedette/pkg/policy"
)

const (
	maxEndpoints = 2048
	endpointsOf  = 64 // a rule
	mappedBits   = 96 // of an IPv4 address in IPv6, before it
)

func (c *compiler) addEndpoints(r placed) error {
	if r.Network == nil {
		return nil
	}
	list := slices.Concat(r.Network.Deny, r.Network.Only)
	if len(list) > endpointsOf || len(c.endpoints)+len(list) > maxEndpoints {
		return fmt.Errorf("%s: policy %s, rule %s: found %d addresses, expected at most %d in a rule and %d in all", r.Position, r.policy.Name,
			r.Name, len(list), endpointsOf, maxEndpoints)
	}
	k := &c.kernel[r.bit]
	k.Endpoint, k.Endpoints = uint32(len(c.endpoints)), uint32(len(list))
	for _, e := range list {
		c.endpoints = append(c.endpoints, endpoint(e))
	}
	return nil
}

var protocols = map[policy.Protocol]uint8{policy.TCP: unix.IPPROTO_TCP, policy.UDP: unix.IPPROTO_UDP}

func endpoint(e policy.Endpoint) (k bpf.EnforceEndpoint) {
	k.First, k.Last, k.Protocol = e.FirstPort, e.LastPort, protocols[e.Protocol]
	if !e.Prefix.IsValid() {
		return k
	}
	bits := e.Prefix.Bits()
	if e.Prefix.Addr().Is4() {
		bits += mappedBits
	} else {
		k.Family = unix.AF_INET6
	}
	k.Address = words(e.Prefix.Masked().Addr().As16())
	var mask [16]byte
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	k.Mask = words(mask)
	return k
}

func words(raw [16]byte) [2]uint64 {
	return [2]uint64{binary.NativeEndian.Uint64(raw[:8]), binary.NativeEndian.Uint64(raw[8:])}
}

// address is what a verdict about the network was about.
func address(o *enforce.Object, p bpf.EnforcePeer) {
	var raw [16]byte
	binary.NativeEndian.PutUint64(raw[:8], p.Address[0])
	binary.NativeEndian.PutUint64(raw[8:], p.Address[1])
	o.Address = netip.AddrPortFrom(netip.AddrFrom16(raw).Unmap(), p.Port)
	for name, number := range protocols {
		if number == p.Protocol {
			o.Protocol = name
		}
	}
}
