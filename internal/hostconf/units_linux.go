// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// longestAnswer bounds how long is waited for systemd, which answers a busy host late.
const longestAnswer = 30 * time.Second

// ActiveUnits gives the units that are active by what systemd says, nil where there is no systemd to ask. Others are not.
func (h *Host) ActiveUnits() (map[string]bool, error) {
	if h.root != "/" || !h.Exists("/run/systemd/system") {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), longestAnswer)
	defer cancel()
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	loaded, err := conn.ListUnitsContext(ctx)
	if err != nil {
		return nil, err
	}
	active := map[string]bool{}
	for _, u := range loaded {
		active[u.Name] = u.ActiveState == "active" || u.ActiveState == "reloading"
	}
	return active, nil
}
