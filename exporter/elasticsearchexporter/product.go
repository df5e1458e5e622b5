// SPDX-License-Identifier: Apache-2.0

package elasticsearchexporter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"go.uber.org/zap"
)

// productHeader is on every answer of Elasticsearch since 7.14, and on those of nothing else.
const (
	productHeader = "X-Elastic-Product"
	productName   = "Elasticsearch"
)

var errProduct = errors.New("the server does not say that it is Elasticsearch; product_check: warn or off sends to others, such as OpenSearch, nevertheless")

// productCheck asks the server what it is before anything is sent to it, once.
type productCheck struct {
	mode string

	mu   sync.Mutex
	done bool
}

// check returns nil when documents may be sent. Where that is not known yet, its error is temporary.
func (p *productCheck) check(ctx context.Context, transport esapi.Transport, logger *zap.Logger) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done || p.mode == productOff {
		return nil
	}
	a, err := perform(ctx, esapi.InfoRequest{}, transport)
	if err != nil {
		return fmt.Errorf("ask the server what it is: %w", err)
	}
	switch {
	case a.header.Get(productHeader) == productName:
	case a.status != http.StatusOK:
		return fmt.Errorf("ask the server what it is: %w", a.problem())
	case p.mode == productStrict:
		return errProduct
	default:
		logger.Warn("The server does not say that it is Elasticsearch; documents are sent to it, since product_check is warn")
	}
	p.done = true
	return nil
}
