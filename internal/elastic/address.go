// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ParseURL reads the address of a server. Its error never holds a password, as it ends up in logs.
func ParseURL(text string) (*url.URL, error) {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return nil, fmt.Errorf("found a user before %q, expected an address without, since addresses are logged", text[at:])
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("found %q, expected a URL such as https://elasticsearch:9200", text)
	}
	return u, nil
}

// validate checks what can be checked without the server.
func (c *Connection) validate() error {
	if _, err := ParseURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	switch {
	case c.APIKey != "" && c.User != "":
		return errors.New("found an API key beside a user, expected one of the two ways")
	case c.User != "" && c.Password == "":
		return errors.New("found a user without a password, expected both")
	}
	return nil
}
