// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const lastlog = "/var/log/lastlog"

// lastlogSize is that of one account's record: the time, and the terminal and the host it came from.
const lastlogSize = 4 + 32 + 256

// LastLogin tells when an account logged in last; known is false where it never did. The file has a place for each number, so
// that it is read where the account's is.
func (h *Host) LastLogin(uid int64) (at time.Time, known bool, err error) {
	full, err := h.real(lastlog)
	if err != nil {
		return time.Time{}, false, err
	}
	h.note(Look{bytesOf, lastlog}, h.askContent(lastlog))
	file, err := os.Open(full)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("reading the last logins: %w", err)
	}
	defer file.Close()
	var seconds [4]byte
	switch _, err := file.ReadAt(seconds[:], uid*lastlogSize); {
	case errors.Is(err, io.EOF):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, fmt.Errorf("reading the last logins: %w", err)
	}
	stamp := binary.LittleEndian.Uint32(seconds[:])
	return time.Unix(int64(stamp), 0), stamp != 0, nil
}

// day is a day in seconds.
const day = int64(24 * time.Hour / time.Second)

// DayOf counts the days from 1970 to a time.
func DayOf(at time.Time) int64 { return at.Unix() / day }

// Today is the present day, counted from 1970. What depends on it is read anew on the next day.
func (h *Host) Today() int64 {
	today := DayOf(time.Now())
	h.note(Look{theDay, ""}, stamp{size: uint64(today)})
	return today
}
