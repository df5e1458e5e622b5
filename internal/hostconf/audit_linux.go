// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"
	"golang.org/x/sys/unix"
)

// What the audit system is asked for, and what it answers with.
const (
	auditGet       = 1000
	auditListRules = 1013
)

// auditIsLocked is the state of the audit system in which nothing of it changes until the host starts again.
const auditIsLocked = 2

// AuditLocked reports whether the kernel takes no other audit rules until the next start of the host, as "-e 2" has it. Of another root directory,
// and in a container, nothing is known.
func (h *Host) AuditLocked() (bool, error) {
	if h.root != "/" {
		return false, fmt.Errorf("asking for the state of the audit system: %w", ErrOtherRoot)
	}
	answers, err := askAudit(auditGet)
	switch {
	case errors.Is(err, unix.EPROTONOSUPPORT):
		return false, nil
	case (errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EPERM)) && h.IsContainer():
		return false, fmt.Errorf("asking for the state of the audit system: %w", ErrOtherRoot)
	case err != nil:
		return false, err
	}
	for _, answer := range answers {
		if answer.Header.Type == auditGet {
			return lockedBy(answer.Data)
		}
	}
	return false, errors.New("asking for the state of the audit system: found no state in the answer of the kernel")
}

// lockedBy reads the state of the audit system, before which is a mask of what is valid.
func lockedBy(status []byte) (bool, error) {
	if len(status) < 8 {
		return false, fmt.Errorf("reading the state of the audit system: found %d bytes, expected at least 8", len(status))
	}
	return nlenc.Uint32(status[4:8]) == auditIsLocked, nil
}

// LoadedAuditRules gives the rules that the kernel has, none where it has no audit system. It is an error to ask it without the
// rights of root. Of another root directory, and in a container, whose kernel is another host's, nothing is known.
func (h *Host) LoadedAuditRules() ([]AuditRule, error) {
	if h.root != "/" || h.memory.noKernelAudit {
		return nil, fmt.Errorf("reading the audit rules of the kernel: %w", ErrOtherRoot)
	}
	return cached(h, "audit rules of the kernel", func(h *Host) ([]AuditRule, error) {
		h.cannotCompare("the audit system")
		all, err := readAuditRules()
		// To other namespaces than its first ones the kernel does not talk about audit.
		if (errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EPERM)) && h.IsContainer() {
			return nil, fmt.Errorf("reading the audit rules of the kernel: %w", ErrContained)
		}
		return all, err
	})
}

func readAuditRules() ([]AuditRule, error) {
	answers, err := askAudit(auditListRules)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
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

// askAudit gives what the audit system answers to a question that has no more to it than its type.
func askAudit(question netlink.HeaderType) ([]netlink.Message, error) {
	conn, err := netlink.Dial(unix.NETLINK_AUDIT, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the audit system of the kernel: %w", err)
	}
	defer conn.Close()
	ask, err := conn.Send(netlink.Message{Header: netlink.Header{Type: question, Flags: netlink.Request}})
	if err != nil {
		return nil, fmt.Errorf("asking the audit system of the kernel: %w", err)
	}
	// The kernel answers in the name of no process, so that only the number of the question is compared.
	ask.Header.PID = 0
	answers, err := conn.Receive()
	if err == nil {
		err = netlink.Validate(ask, answers)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the audit system of the kernel: %w", err)
	}
	return answers, nil
}
