// SPDX-License-Identifier: Apache-2.0

// Package config embeds the files that users read and edit, as they are shipped.
package config

import "embed"

// Files holds the shipped files by their paths below this folder: the Collector's configurations and
// the folder of built-in detection rules.
//
//go:embed *.yaml rules
var Files embed.FS

// RulesRoot is the folder of the built-in detection rules, in Sigma.
const RulesRoot = "rules"
