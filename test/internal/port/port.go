// SPDX-License-Identifier: Apache-2.0

// Package port finds ports for servers of tests that are told theirs before they bind it.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// The kernel gives ports from 32768 on to whoever asks for none in particular, such as every outgoing connection. One from
// here is still free when the server binds it.
const first, last = 10000, 32767

// Free returns a port that nothing listens on, at any address of this machine.
func Free() (int, error) {
	for range 100 {
		port := first + rand.IntN(last-first+1)
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		switch {
		case err == nil:
			return port, l.Close()
		case !errors.Is(err, syscall.EADDRINUSE):
			return 0, fmt.Errorf("find a free port: %w", err)
		}
	}
	return 0, errors.New("find a free port: all that were tried are in use")
}
