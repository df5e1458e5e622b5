// SPDX-License-Identifier: Apache-2.0

// Package config embeds the files that users read and edit, as they are shipped.
package config

import "embed"

// Rules holds the built-in detection rules, in Sigma, under the folder RulesRoot.
//
//go:embed rules
var Rules embed.FS

// RulesRoot is the folder of the built-in rules in Rules.
const RulesRoot = "rules"
