// SPDX-License-Identifier: Apache-2.0

package detectionprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/vedette-sec/vedette/pkg/sigma"
)

// level is how severe a rule is: an OTel severity and its name.
type level struct {
	severity plog.SeverityNumber
	name     string
}

// levelOf returns the level of a rule; one that names none counts as medium.
func levelOf(r *sigma.Rule) level {
	switch r.Level {
	case sigma.Informational:
		return level{plog.SeverityNumberInfo, "informational"}
	case sigma.Low:
		return level{plog.SeverityNumberInfo2, "low"}
	case sigma.High:
		return level{plog.SeverityNumberError, "high"}
	case sigma.Critical:
		return level{plog.SeverityNumberFatal, "critical"}
	default:
		return level{plog.SeverityNumberWarn, "medium"}
	}
}
