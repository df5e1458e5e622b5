// SPDX-License-Identifier: Apache-2.0

package baseline

import (
	"strconv"

	"github.com/vedette-sec/vedette/internal/hostconf"
)

var loginTable = &table{
	about:  "local accounts with their last login, by lastlog; days_ago is absent where an account never logged in",
	fields: map[string]kind{"name": kindText, "uid": kindNumber, "interactive": kindFlag, "password": kindWord, "never": kindFlag, "days_ago": kindNumber},
	ifNone: Pass,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		accounts, err := h.Accounts()
		if err != nil {
			return nil, err
		}
		today := h.Today()
		var rows []row
		for _, a := range accounts.Users {
			at, known, err := h.LastLogin(a.UID)
			if err != nil {
				return nil, err
			}
			r := newRow("account "+a.Name, a.Place).text("name", a.Name).number("uid", a.UID).flag("interactive", a.Interactive())
			r = r.text("password", string(a.Password)).flag("never", !known)
			rows = append(rows, r.optional("days_ago", strconv.FormatInt(today-hostconf.DayOf(at), 10), known))
		}
		return rows, nil
	},
}

var firmwareTable = &table{
	about:  "how the firmware starts the host: by EFI, with which protection, and whether there is a trusted platform module; one row",
	fields: map[string]kind{"efi": kindFlag, "secure_boot": kindFlag, "setup_mode": kindFlag, "tpm": kindText},
	ifNone: Fail,
	rows: func(h *hostconf.Host, _ arguments) ([]row, error) {
		f, err := h.Firmware()
		if err != nil {
			return nil, err
		}
		r := newRow("firmware", hostconf.Place{}).flag("efi", f.EFI).flag("secure_boot", f.SecureBoot).flag("setup_mode", f.SetupMode)
		return []row{r.optional("tpm", f.TPM, f.TPM != "")}, nil
	},
}
