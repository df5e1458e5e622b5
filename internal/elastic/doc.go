// SPDX-License-Identifier: Apache-2.0

// Package elastic holds what Elasticsearch and Kibana are set up with for Vedette's documents, and sets them
// up. The mappings follow from the event vocabulary.
package elastic

//go:generate go run ./gen -root ../..
