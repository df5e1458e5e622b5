// SPDX-License-Identifier: Apache-2.0

// Package elasticsearchexporter sends log records to data streams of Elasticsearch or OpenSearch: each
// exactly once, as far as the server can tell.
package elasticsearchexporter
