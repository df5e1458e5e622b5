// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"fmt"

	"github.com/vedette-sec/vedette/pkg/baseline"
)

// mostFound is how many files one rule changes at most: each is a line of the journal's record.
const mostFound = 10_000

// walk plans attributes of what the walk finds.
func (p *plan) walk(s *baseline.Step) error {
	paths, err := s.Walked(string(p.repairer.root))
	if err != nil {
		return err
	}
	return p.foundAll(paths, s)
}

// home plans modes of files in homes. A file with other names may be somebody else's, put there by a link.
func (p *plan) home(s *baseline.Step) error {
	paths, err := s.HomeFiles(string(p.repairer.root))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := p.repairer.root.oneName(path); err != nil {
			return err
		}
	}
	return p.foundAll(paths, s)
}

// foundAll plans attributes of what is there, but not of what links lead to.
func (p *plan) foundAll(paths []string, s *baseline.Step) error {
	if len(paths) > mostFound {
		return fmt.Errorf("found %d files, expected at most %d, which is what one repair changes", len(paths), mostFound)
	}
	for _, path := range paths {
		resolved, err := p.repairer.root.resolveParent(path)
		if err != nil {
			return err
		}
		state, err := p.look(resolved)
		if err != nil {
			return err
		}
		if state.Type == link || state.Type == absent {
			continue
		}
		p.found[resolved] = true
		if err := p.attributesOf(resolved, s); err != nil {
			return err
		}
	}
	return nil
}
