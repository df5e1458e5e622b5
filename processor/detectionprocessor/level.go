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
	risk     int // what an alert adds to the risk of its host and user where the rule does not say
}

// levelOf returns the level of a rule; one that names none counts as medium.
func levelOf(l sigma.Level) level {
	switch l {
	case sigma.Informational:
		return level{plog.SeverityNumberInfo, "informational", 0}
	case sigma.Low:
		return level{plog.SeverityNumberInfo2, "low", 21}
	case sigma.High:
		return level{plog.SeverityNumberError, "high", 73}
	case sigma.Critical:
		return level{plog.SeverityNumberFatal, "critical", 99}
	default:
		return level{plog.SeverityNumberWarn, "medium", 47}
	}
}
