// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// auditListRules asks the audit system for its rules, and is what each of them comes as.
const auditListRules = 1013

// LoadedAuditRules gives the rules that the kernel has, none where it has no audit system. It is an error to ask it without the
// rights of root. Of another root directory, and in a container, whose kernel is another host's, nothing is known.
func (h *Host) LoadedAuditRules() ([]AuditRule, error) {
	if h.root != "/" {
		return nil, fmt.Errorf("reading the audit rules of the kernel: %w", ErrOtherRoot)
	}
	return cached(h, "audit rules of the kernel", func(h *Host) ([]AuditRule, error) {
		h.cannotCompare("the audit system")
		all, err := readAuditRules()
		// To other namespaces than its first ones the kernel does not talk about audit.
		if (errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EPERM)) && h.IsContainer() {
			return nil, fmt.Errorf("reading the audit rules of the kernel: %w", ErrOtherRoot)
		}
		return all, err
	})
}

func readAuditRules() ([]AuditRule, error) {
	conn, err := netlink.Dial(unix.NETLINK_AUDIT, nil)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for its audit rules: %w", err)
	}
	defer conn.Close()
	ask := netlink.Message{Header: netlink.Header{Type: auditListRules, Flags: netlink.Request}}
	if ask, err = conn.Send(ask); err != nil {
		return nil, fmt.Errorf("asking the kernel for its audit rules: %w", err)
	}
	// The kernel answers in the name of no process, so that only the number of the question is compared.
	ask.Header.PID = 0
	answers, err := conn.Receive()
	if err == nil {
		err = netlink.Validate(ask, answers)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for its audit rules: %w", err)
	}
	var all []AuditRule
	for _, answer := range answers {
		if answer.Header.Type != auditListRules {
			continue
		}
		r, err := decodeAuditRule(answer.Data)
		if err != nil {
			return nil, fmt.Errorf("reading the audit rules of the kernel: %w", err)
		}
		r.Place = Place{File: "kernel"}
		all = append(all, r)
	}
	return all, nil
}
