// SPDX-License-Identifier: Apache-2.0

package elastic

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNewClientSaysWhatIsWrongAndKeepsSecrets(t *testing.T) {
	for want, c := range map[string]Connection{
		`url: found "es:9200", expected a URL such as https://elasticsearch:9200`:                      {URL: "es:9200"},
		`url: found "http:///x", expected a URL such as https://elasticsearch:9200`:                    {URL: "http:///x"},
		`url: found a user before "@es:9200", expected an address without, since addresses are logged`: {URL: "http://elastic:s3cret@es:9200"},
		`url: found a user before "@es:9201", expected an address without, since addresses are logged`: {URL: "elastic:s3cr@et@es:9201"},
		"found an API key beside a user, expected one of the two ways":                                 {URL: "http://es:9200", User: "elastic", Password: "s3cret", APIKey: "a2V5"},
		"found a user without a password, expected both":                                               {URL: "http://es:9200", User: "elastic"},
	} {
		_, err := NewClient(c)
		assert.EqualError(t, err, want)
		assert.NotContains(t, err.Error(), "s3cr")
	}
}
