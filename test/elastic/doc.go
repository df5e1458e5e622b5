// SPDX-License-Identifier: Apache-2.0

// Package elastic tests what leaves for Elasticsearch and OpenSearch against the servers themselves, each of which is
// started once for all tests.
package elastic
