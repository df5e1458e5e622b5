// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/vedette-sec/vedette/internal/doctor"
	"github.com/vedette-sec/vedette/internal/kernel"
)

// sensorType is the component type of the receiver that loads programs into the kernel.
const sensorType = "ebpf"

// rightsError says which rights are missing. It is a whole sentence, printed alone.
type rightsError struct {
	receiver string
	facts    kernel.Facts
}

func (e *rightsError) Error() string {
	if e.facts.UserNamespace {
		return "the receiver " + e.receiver + " cannot watch the kernel from inside a user namespace; " +
			"run it in the host's own (`vedette doctor` tells more)."
	}
	return "the receiver " + e.receiver + " needs root, or the capabilities CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE " +
		"and CAP_DAC_READ_SEARCH, to watch the kernel (`vedette doctor` tells more)."
}

// rightsGuard refuses to start a configuration whose sensor may not load its programs. It is a
// converter because those see the configuration complete, before any component is made.
type rightsGuard struct {
	facts func() kernel.Facts
	// starting is whether the Collector is about to start, and not only to look at a configuration.
	starting bool
}

// Convert changes nothing.
func (g *rightsGuard) Convert(_ context.Context, conf *confmap.Conf) error {
	if !g.starting {
		return nil
	}
	receiver, used := usedSensor(conf)
	if !used {
		return nil
	}
	if facts := g.facts(); !doctor.MayLoad(facts) {
		return &rightsError{receiver, facts}
	}
	return nil
}

// usedSensor returns the id of the first sensor that a pipeline receives from. What is not of the
// expected form is left to the Collector to complain about.
func usedSensor(conf *confmap.Conf) (string, bool) {
	pipelines, _ := conf.Get("service::pipelines").(map[string]any)
	for _, pipeline := range pipelines {
		parts, _ := pipeline.(map[string]any)
		receivers, _ := parts["receivers"].([]any)
		for _, receiver := range receivers {
			name, _ := receiver.(string)
			var id component.ID
			if err := id.UnmarshalText([]byte(name)); err == nil && id.Type().String() == sensorType {
				return name, true
			}
		}
	}
	return "", false
}
