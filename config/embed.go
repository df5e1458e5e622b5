// SPDX-License-Identifier: Apache-2.0

// Package config embeds the files that users read and edit, as they are shipped.
package config

import "embed"

// Files holds the shipped files by their paths below this folder: the Collector's configurations, the folders of built-in
// detection rules, of ready policies and of ready baseline templates, and what Kibana's dashboards are made from.
//
//go:embed *.yaml rules policies baselines kibana/dashboards.yaml
var Files embed.FS

// RulesRoot is the folder of the built-in detection rules, in Sigma.
const RulesRoot = "rules"

// PoliciesRoot is the folder of the ready policies. Nothing loads them but who asks for them.
const PoliciesRoot = "policies"

// Dashboards is what the dashboards of Kibana are made from.
const Dashboards = "kibana/dashboards.yaml"

// PolicySchema is the JSON Schema of policies.
const PolicySchema = PoliciesRoot + "/policy.schema.json"

// BaselinesRoot is the folder of the ready baseline templates.
const BaselinesRoot = "baselines"
