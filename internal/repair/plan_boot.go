// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// grubDropins are read by what writes the menu; grubMenus are what it has written.
const grubDropins = "/etc/default/grub.d"

var grubMenus = []string{"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"}

// boot plans parameters of the kernel in a file of their own, by which each later menu gets them, and in the menu that there is.
func (p *plan) boot(s *baseline.Step) error {
	parameters := s.List("parameters")
	line := `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ` + strings.Join(parameters, " ") + `"`
	if err := p.own(grubDropins+"/zz-"+p.ownName()+".cfg", publicMode, line); err != nil {
		return err
	}
	found := false
	for _, menu := range grubMenus {
		resolved, err := p.repairer.root.resolve(menu)
		if err != nil {
			return err
		}
		state, err := p.look(resolved)
		if err != nil {
			return err
		}
		found = found || state.Type == file
		change := func(text string) (string, error) { return withBootParameters(text, parameters), nil }
		if err := p.editIfThere(menu, change); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("found no menu of GRUB, expected " + strings.Join(grubMenus, " or "))
	}
	return nil
}

// withBootParameters gives a menu whose entries have parameters, in the place of others of their names.
func withBootParameters(text string, parameters []string) string {
	lines := linesOf(text)
	for i, line := range lines {
		if !hostconf.IsBootEntry(line) {
			continue
		}
		lines[i] = withParameters(line, parameters)
	}
	return strings.Join(lines, "")
}

func withParameters(line string, parameters []string) string {
	for _, parameter := range parameters {
		name, value, _ := strings.Cut(parameter, "=")
		if have, found := hostconf.BootParameter(hostconf.Line{Text: line}, name); found && have == value {
			continue
		}
		body := strings.TrimRight(line, " \t\r\n")
		end := line[len(body):]
		words := strings.Split(body, " ")
		words = slices.DeleteFunc(words, func(word string) bool { key, _, _ := strings.Cut(word, "="); return key == name })
		line = strings.Join(append(words, parameter), " ") + end
	}
	return line
}
