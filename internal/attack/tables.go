// SPDX-License-Identifier: Apache-2.0

package attack

// tactics are the tactics of the Enterprise matrix by the names that Sigma tags use.
var tactics = map[string]Tactic{
	"reconnaissance":       {"TA0043", "Reconnaissance"},
	"resource-development": {"TA0042", "Resource Development"},
	"initial-access":       {"TA0001", "Initial Access"},
	"execution":            {"TA0002", "Execution"},
	"persistence":          {"TA0003", "Persistence"},
	"privilege-escalation": {"TA0004", "Privilege Escalation"},
	"stealth":              {"TA0005", "Stealth"},
	"defense-impairment":   {"TA0112", "Defense Impairment"},
	"credential-access":    {"TA0006", "Credential Access"},
	"discovery":            {"TA0007", "Discovery"},
	"lateral-movement":     {"TA0008", "Lateral Movement"},
	"collection":           {"TA0009", "Collection"},
	"command-and-control":  {"TA0011", "Command and Control"},
	"exfiltration":         {"TA0010", "Exfiltration"},
	"impact":               {"TA0040", "Impact"},
}

// replacedBy maps the ids that ATT&CK v19 revoked to their heirs. Heirs that do not concern
// Linux are left out.
var replacedBy = map[string]string{
	"T1070.002": "T1685.006", // Clear Linux or Mac System Logs
	"T1562":     "T1685",     // Impair Defenses
	"T1562.001": "T1685",     // Disable or Modify Tools
	"T1562.003": "T1690",     // Impair Command History Logging
	"T1562.004": "T1686",     // Disable or Modify System Firewall
	"T1562.006": "T1685",     // Indicator Blocking
	"T1562.010": "T1689",     // Downgrade Attack
	"T1562.011": "T1685.003", // Spoof Security Alerting
	"T1562.012": "T1685.004", // Disable or Modify Linux Audit System
	"T1656":     "T1684.001", // Impersonation
	"T1672":     "T1684.002", // Email Spoofing
}

// row is one line of the generated table: a name and the tactics by their names in Sigma tags.
type row struct {
	name    string
	tactics []string
}
