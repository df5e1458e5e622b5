// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var commandTable = &table{
	about: "lines that a program writes, the last resort where nothing else tells: it is run without a shell, for ten seconds at most, and only " +
		"where the scan is allowed to run it; what the first group of the pattern matches is the field group",
	params: map[string]param{"run": {list: true, required: true}, "pattern": {check: regular}},
	fields: map[string]kind{"text": kindText, "group": kindText},
	ifNone: Fail,
	rows: func(h *hostconf.Host, args arguments) ([]row, error) {
		lines, err := h.Run(args.list("run"))
		if err != nil {
			return nil, err
		}
		expr := pattern(args.text("pattern", ""))
		var rows []row
		for _, line := range lines {
			m := expr.FindStringSubmatch(line.Text)
			if m == nil {
				continue
			}
			r := newRow(strings.Join(args.list("run"), " "), hostconf.Place{}).text("text", line.Text)
			rows = append(rows, r.optional("group", slices.Concat(m, []string{""})[1], len(m) > 1))
		}
		return rows, nil
	},
}
