// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Firmware is what the firmware says of how the host starts.
type Firmware struct {
	EFI        bool
	SecureBoot bool   // the firmware refuses boot loaders that are not signed
	SetupMode  bool   // whoever comes may give it other keys
	TPM        string // the version of the trusted platform module, "" for none
}

// efiGlobal is the namespace of the variables that EFI itself defines.
const efiGlobal = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// Firmware reads the variables of EFI and looks for a TPM.
func (h *Host) Firmware() (Firmware, error) {
	f := Firmware{EFI: h.Exists("/sys/firmware/efi")}
	for name, into := range map[string]*bool{"SecureBoot": &f.SecureBoot, "SetupMode": &f.SetupMode} {
		data, err := h.Read("/sys/firmware/efi/efivars/" + name + efiGlobal)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return f, fmt.Errorf("reading the firmware: %w", err)
		case len(data) != 5: // four bytes of attributes and the value
			return f, fmt.Errorf("reading the firmware: %s: found %d bytes, expected 5", name, len(data))
		default:
			*into = data[4] == 1
		}
	}
	if h.Exists("/sys/class/tpm/tpm0") {
		f.TPM = "1.2"
		data, err := h.Read("/sys/class/tpm/tpm0/tpm_version_major")
		if err == nil && strings.TrimSpace(string(data)) == "2" {
			f.TPM = "2.0"
		}
	}
	return f, nil
}
