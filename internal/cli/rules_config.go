// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/xconfmap"

	"github.com/vedette-sec/vedette/processor/detectionprocessor"
)

// detection reads the configuration of the detection processor as the Collector would, with its providers, so that
// ${env:…} and the like work.
func (c *rulesCommand) detection(ctx context.Context) (*detectionprocessor.Config, error) {
	settings := c.resolver
	settings.URIs = c.config
	resolver, err := confmap.NewResolver(settings)
	if err != nil {
		return nil, err
	}
	conf, err := resolver.Resolve(ctx)
	if err := errors.Join(err, resolver.Shutdown(ctx)); err != nil {
		return nil, err
	}
	processors, err := conf.Sub("processors")
	if err != nil {
		return nil, fmt.Errorf("processors: %w", err)
	}
	id, err := c.processorID(processors)
	if err != nil {
		return nil, err
	}
	return unmarshal(processors, id)
}

// processorID finds the detection processor, of which --processor names one where there are several.
func (c *rulesCommand) processorID(processors *confmap.Conf) (string, error) {
	var ids []string
	for _, name := range slices.Sorted(maps.Keys(processors.ToStringMap())) {
		var id component.ID
		if err := id.UnmarshalText([]byte(name)); err == nil && id.Type() == detectionprocessor.NewFactory().Type() {
			ids = append(ids, name)
		}
	}
	files := strings.Join(c.config, ", ")
	switch {
	case c.processor != "" && !slices.Contains(ids, c.processor):
		return "", fmt.Errorf("%s has no detection processor %s, expected one of: %s", files, c.processor, strings.Join(ids, ", "))
	case c.processor != "":
		return c.processor, nil
	case len(ids) == 0:
		return "", fmt.Errorf("%s has no detection processor under processors", files)
	case len(ids) > 1:
		return "", fmt.Errorf("%s has several detection processors (%s), expected --processor to name one", files, strings.Join(ids, ", "))
	}
	return ids[0], nil
}

func unmarshal(processors *confmap.Conf, id string) (*detectionprocessor.Config, error) {
	cfg := detectionprocessor.NewFactory().CreateDefaultConfig().(*detectionprocessor.Config)
	conf, err := processors.Sub(id)
	if err == nil {
		err = conf.Unmarshal(cfg)
	}
	if err == nil {
		err = xconfmap.Validate(cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("processors::%s: %w", id, err)
	}
	return cfg, nil
}
