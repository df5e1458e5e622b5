// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

const (
	nftablesConf    = "/etc/nftables.conf"
	nftablesDropins = "/etc/nftables.d"
)

// Protocols are given by number, because hosts may have no names for them.
const (
	icmp   = "1"
	icmpv6 = "58"
)

// Whether the packet filter has a table.
const (
	tableThere  = "there"
	tableAbsent = "absent"
)

// firewall plans a table of our own, in a file that the main one includes and in the kernel.
func (p *plan) firewall(s *baseline.Step) error {
	table := strings.ReplaceAll(p.ownName(), "-", "_")
	rules, err := p.lettingIn(s)
	if err != nil {
		return err
	}
	main, err := p.repairer.root.resolve(nftablesConf)
	if err != nil {
		return err
	}
	if state, err := p.look(main); err != nil || state.Type == absent {
		return errors.Join(err, fmt.Errorf("%s: found no such file, expected the one that nftables.service reads", nftablesConf))
	}
	own := nftablesDropins + "/" + p.ownName() + ".nft"
	if err := p.own(nftablesConf, publicMode, `include "`+own+`"`); err != nil {
		return err
	}
	chains, policy := s.List("chains"), s.Text("policy", "accept")
	p.dropsForwarded = p.dropsForwarded || policy == "drop" && slices.Contains(chains, "forward")
	text := tableText(table, chains, policy, rules)
	if err := p.edit(own, privateMode, func(string) (string, error) { return text, nil }); err != nil {
		return err
	}
	if p.repairer.root != "/" {
		return nil
	}
	have, err := p.repairer.tableState(table)
	if err == nil && have != tableThere {
		p.others = append(p.others, Change{About: ofTable, Table: table, Path: own, Old: have, New: tableThere})
	}
	return err
}

// refuseWhereForwarding keeps what the host forwards, because no rule can tell which of it is wanted: containers and virtual machines would be cut
// off, and nobody who confirms over ssh would see that.
func (p *plan) refuseWhereForwarding() error {
	for _, pattern := range []string{"/proc/sys/net/ipv4/conf/*/forwarding", "/proc/sys/net/ipv6/conf/*/forwarding"} {
		settings, err := p.host().Glob(pattern)
		if err != nil {
			return err
		}
		for _, path := range settings {
			switch value, err := p.repairer.readValue(path); {
			case errors.Is(err, fs.ErrNotExist): // The interface is gone meanwhile.
			case err != nil:
				return err
			case value != "0":
				return fmt.Errorf("%s is %s: this host forwards packets, as for containers, and a chain that drops what is forwarded would cut those off; "+
					"give --drop-forwarded where that is wanted, or waive the rule", path, value)
			}
		}
	}
	return nil
}

// lettingIn gives the rules by which chains that drop let through what goes on now: by chain.
func (p *plan) lettingIn(s *baseline.Step) (map[string][]string, error) {
	if s.Text("policy", "accept") != "drop" {
		return nil, nil
	}
	sockets, err := p.host().Sockets()
	if err != nil {
		return nil, err
	}
	input := []string{"ct state established,related accept", `iif "lo" accept`, "meta l4proto { " + icmp + ", " + icmpv6 + " } accept"}
	for _, protocol := range []string{"tcp", "udp"} {
		if ports := portsOf(sockets, protocol); len(ports) > 0 {
			input = append(input, protocol+" dport { "+strings.Join(ports, ", ")+" } accept")
		}
	}
	return map[string][]string{"input": input, "output": {"accept"}}, nil
}

// portsOf are those at which something waits for other hosts.
func portsOf(sockets []hostconf.Socket, protocol string) []string {
	var numbers []int
	for _, s := range sockets {
		if strings.HasPrefix(s.Protocol, protocol) && !s.Address.Addr().IsLoopback() {
			numbers = append(numbers, int(s.Address.Port()))
		}
	}
	slices.Sort(numbers)
	var ports []string
	for _, number := range slices.Compact(numbers) {
		ports = append(ports, strconv.Itoa(number))
	}
	return ports
}

// tableText is a file that makes the table anew whether it is there or not.
func tableText(table string, chains []string, policy string, rules map[string][]string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "table inet %s\ndelete table inet %s\ntable inet %s {\n", table, table, table)
	for _, chain := range chains {
		fmt.Fprintf(&text, "\tchain %s {\n\t\ttype filter hook %s priority filter; policy %s;\n", chain, chain, policy)
		for _, rule := range rules[chain] {
			text.WriteString("\t\t" + rule + "\n")
		}
		text.WriteString("\t}\n")
	}
	text.WriteString("}\n")
	return text.String()
}

func (r *Repairer) tableState(table string) (string, error) {
	chains, err := hostconf.New(string(r.root)).Firewall()
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(chains, func(c hostconf.Chain) bool { return c.Table == table }) {
		return tableThere, nil
	}
	return tableAbsent, nil
}

func (r *Repairer) setTable(c Change) error {
	args := []string{"-f", c.Path}
	if c.New == tableAbsent {
		args = []string{"delete", "table", "inet", c.Table}
	}
	if _, err := r.run("nft", args...); err != nil {
		return fmt.Errorf("changing the packet filter: %w", err)
	}
	return nil
}
