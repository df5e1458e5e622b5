// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsQuestion is one question of a DNS message.
type dnsQuestion struct {
	name   string // without the dot at its end, but for the root's
	record string // the record type's name, such as AAAA
}

// maxQuestions bounds how many questions of one message are told. Resolvers ask one; multicast DNS
// may ask several.
const maxQuestions = 16

// dnsQuestions reads the questions of a message, which may be cut off. What cannot be read ends the
// list; a datagram that is no DNS message has no questions.
func dnsQuestions(message []byte) (id uint16, questions []dnsQuestion) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return 0, nil
	}
	for len(questions) < maxQuestions {
		q, err := parser.Question()
		if err != nil {
			break
		}
		name := q.Name.String()
		if name != "." {
			name = strings.TrimSuffix(name, ".")
		}
		questions = append(questions, dnsQuestion{strings.ToValidUTF8(name, "\uFFFD"), recordType(q.Type)})
	}
	return header.ID, questions
}

// recordType names a type as zone files do: one that has no name is a number.
func recordType(t dnsmessage.Type) string {
	if name, ok := strings.CutPrefix(t.String(), "Type"); ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// dnsProtocol names the protocol by the port that is asked.
func dnsProtocol(port uint16) string {
	switch port {
	case 5353:
		return "mdns"
	case 5355:
		return "llmnr"
	}
	return "dns"
}
