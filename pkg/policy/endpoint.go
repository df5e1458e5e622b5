// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vedette-sec/vedette/internal/yamltree"
)

// endpointForm is an address or a network, then perhaps ports, then perhaps a protocol. IPv6 is in brackets where ports
// follow.
var endpointForm = regexp.MustCompile(`\A(?:\[([^\[\]]*)\](/[0-9]+)?|(\*)|([0-9.]+(?:/[0-9]+)?)|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:/[0-9]+)?))` +
	`(?::([0-9]+)(?:-([0-9]+))?)?(?:/(tcp|udp))?\z`)

func (p *parser) endpoint(n *yaml.Node, what string) Endpoint {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		p.errorf(n, "%s: found %s, expected an address such as \"10.0.0.0/8:443/tcp\", in quotes", what, yamltree.Kind(n))
		return Endpoint{}
	}
	e, err := ParseEndpoint(n.Value)
	if err != nil {
		p.errorf(n, "%s: %s", what, err)
	}
	e.Position = p.at(n)
	return e
}

// ParseEndpoint reads a set of addresses such as "10.0.0.0/8", "*:80-443/tcp" or "[2001:db8::]/32:53/udp". Errors say what was
// found and what was expected.
func ParseEndpoint(text string) (Endpoint, error) {
	e := Endpoint{Text: text, LastPort: 65535}
	m := endpointForm.FindStringSubmatch(text)
	if m == nil {
		return e, fmt.Errorf("found %s, expected an address or a network, perhaps with ports and a protocol, such as %s or %s",
			yamltree.Quote(text), `"10.0.0.0/8:443/tcp"`, `"[2001:db8::]/32:53/udp"`)
	}
	var err error
	if m[3] == "" {
		if e.Prefix, err = parsePrefix(m[1] + m[2] + m[4] + m[5]); err != nil {
			return e, err
		}
	}
	if m[6] != "" {
		if e.FirstPort, e.LastPort, err = parsePorts(m[6], m[7]); err != nil {
			return e, err
		}
	}
	e.Protocol = Protocol(m[8])
	return e, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" || address.Is4In6() {
			return netip.Prefix{}, fmt.Errorf("found the address %s, expected one of IPv4 or IPv6 without a zone", yamltree.Quote(text))
		}
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("found the network %s, expected one such as 10.0.0.0/8 or [2001:db8::]/32", yamltree.Quote(text))
	case prefix.Masked() != prefix:
		return netip.Prefix{}, fmt.Errorf("found the network %s, expected one without bits after its mask: %s", yamltree.Quote(text), prefix.Masked())
	}
	return prefix, nil
}

// parsePorts reads a range of ports; last is "" for a single one.
func parsePorts(first, last string) (uint16, uint16, error) {
	if last == "" {
		last = first
	}
	from, errFrom := strconv.ParseUint(first, 10, 16)
	to, errTo := strconv.ParseUint(last, 10, 16)
	if errFrom != nil || errTo != nil || from > to {
		return 0, 0, fmt.Errorf("found the ports %s-%s, expected numbers up to 65535, the lower one first", first, last)
	}
	return uint16(from), uint16(to), nil
}

// Has reports whether an address is in the set. IPv4 addresses that are mapped into IPv6 count as what they are.
func (e Endpoint) Has(a Address) bool {
	address, port := a.AddrPort.Addr().Unmap().WithZone(""), a.AddrPort.Port()
	return (!e.Prefix.IsValid() || e.Prefix.Contains(address)) && e.FirstPort <= port && port <= e.LastPort &&
		(e.Protocol == "" || e.Protocol == a.Protocol)
}
