// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"fmt"

	"github.com/google/nftables"
)

// Firewall gives the base chains that the kernel has, whatever program made them: nft, iptables-nft or ufw.
func (h *Host) Firewall() ([]Chain, error) {
	if h.root != "/" {
		return nil, fmt.Errorf("reading the packet filter: %w", ErrOtherRoot)
	}
	return cached(h, "firewall", func(h *Host) ([]Chain, error) {
		h.cannotCompare("the packet filter")
		return readFirewall()
	})
}

// familyNames are the families of what the host itself sends and takes.
var familyNames = map[nftables.TableFamily]string{
	nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
}

// hookNames are the hooks that these families have in common.
var hookNames = map[nftables.ChainHook]string{
	*nftables.ChainHookPrerouting: "prerouting", *nftables.ChainHookInput: "input", *nftables.ChainHookForward: "forward",
	*nftables.ChainHookOutput: "output", *nftables.ChainHookPostrouting: "postrouting",
}

func readFirewall() ([]Chain, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("reading the packet filter: %w", err)
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, fmt.Errorf("reading the chains of the packet filter: %w", err)
	}
	all := []Chain{}
	for _, c := range chains {
		if c.Hooknum == nil || hookNames[*c.Hooknum] == "" || familyNames[c.Table.Family] == "" {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return nil, fmt.Errorf("reading the rules of the chain %s: %w", c.Name, err)
		}
		policy := "accept"
		if c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
			policy = "drop"
		}
		all = append(all, Chain{familyNames[c.Table.Family], c.Table.Name, c.Name, hookNames[*c.Hooknum], string(c.Type), policy, len(rules)})
	}
	return all, nil
}
