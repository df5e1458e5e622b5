// SPDX-License-Identifier: Apache-2.0

// Package process keeps what is known of every process on the host: who started it, what it runs,
// for whom, in which container, and where its standard streams lead.
package process
