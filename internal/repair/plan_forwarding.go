// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// forwardingKey is a setting of the kernel by which it forwards packets.
var forwardingKey = regexp.MustCompile(`^net[./]ipv[46][./](?:ip_forward|conf[./].+[./]forwarding)$`)

// What runs containers or virtual machines, whose packets the host forwards: by names of processes, beginnings of names of interfaces, and units.
var (
	forwardingProcesses  = []string{"dockerd", "containerd", "podman", "conmon", "kubelet", "crio", "k3s-server", "k3s-agent", "libvirtd", "virtnetworkd"}
	forwardingInterfaces = []string{"docker", "podman", "cni", "flannel", "cali", "cilium", "kube-", "veth", "virbr", "lxcbr", "lxdbr", "incusbr"}
	forwardingUnits      = []string{"docker.service", "containerd.service", "kubelet.service", "crio.service", "k3s.service"}
)

// keepForwarded refuses what would end what the host forwards now.
func (p *plan) keepForwarded() error {
	if p.dropsForwarded {
		if err := p.refuseWhereForwarding(); err != nil {
			return err
		}
	}
	if p.stopsForwarding {
		return p.refuseWhereContainersAre()
	}
	return nil
}

// refuseWhereContainersAre keeps the kernel forwarding where containers or virtual machines need it: they would be cut off, and nobody who
// confirms over ssh would see that.
func (p *plan) refuseWhereContainersAre() error {
	what, err := p.forwardsFor()
	if err != nil || what == "" {
		return err
	}
	return fmt.Errorf("found %s: what it is there for has its packets forwarded by this host and would be cut off; "+
		"give --drop-forwarded where that is wanted, or waive the rule", what)
}

// forwardsFor gives the first sign of containers or virtual machines, "" where there is none.
func (p *plan) forwardsFor() (string, error) {
	// Without a first process nothing runs in this root.
	if p.host().Exists("/proc/1/comm") {
		processes, err := p.host().Processes()
		if err != nil {
			return "", err
		}
		for _, running := range processes {
			if slices.Contains(forwardingProcesses, running.Name) {
				return fmt.Sprintf("the process %s[%d]", running.Name, running.PID), nil
			}
		}
	}
	interfaces, err := p.host().Glob("/proc/sys/net/ipv4/conf/*")
	if err != nil {
		return "", err
	}
	for _, dir := range interfaces {
		name := path.Base(dir)
		if slices.ContainsFunc(forwardingInterfaces, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			return "the network interface " + name, nil
		}
	}
	for _, name := range forwardingUnits {
		unit, err := p.host().Unit(name)
		if err != nil {
			return "", err
		}
		if unit.Enabled {
			return "the unit " + name + " enabled", nil
		}
	}
	return "", nil
}
