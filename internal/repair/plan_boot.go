// SPDX-License-Identifier: Apache-2.0

package repair

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vedette-sec/vedette/internal/hostconf"
	"github.com/vedette-sec/vedette/pkg/baseline"
)

// grubDefaults is what the menu is written by, with the files of a directory beside it on Debian alone.
const (
	grubDefaults = "/etc/default/grub"
	grubDropins  = "/etc/default/grub.d"
)

// boot plans parameters of the kernel for each later menu, and for the menu that there is: one file, or entries in files of their own.
func (p *plan) boot(s *baseline.Step) error {
	parameters := s.List("parameters")
	entries, err := p.host().Files([]string{hostconf.BootEntries})
	if err != nil {
		return err
	}
	defaults := grubDropins + "/zz-" + p.ownName() + ".cfg"
	if len(entries) > 0 {
		defaults = grubDefaults
	}
	line := `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ` + strings.Join(parameters, " ") + `"`
	if err := p.own(defaults, publicMode, line); err != nil {
		return err
	}
	menus, err := p.bootMenus()
	if err != nil {
		return err
	}
	if len(menus)+len(entries) == 0 {
		return errors.New("found no menu of GRUB, expected " + strings.Join(append(slices.Clone(hostconf.BootMenus), hostconf.BootEntries), " or "))
	}
	for _, menu := range menus {
		change := func(text string) (string, error) { return withBootParameters(text, parameters), nil }
		if err := p.edit(menu, publicMode, change); err != nil {
			return err
		}
	}
	return p.bootEntries(entries, parameters)
}

// bootMenus gives the menus in one file that there are.
func (p *plan) bootMenus() ([]string, error) {
	var all []string
	for _, menu := range hostconf.BootMenus {
		resolved, err := p.repairer.root.resolve(menu)
		if err != nil {
			return nil, err
		}
		state, err := p.look(resolved)
		if err != nil {
			return nil, err
		}
		if state.Type == file {
			all = append(all, resolved)
		}
	}
	return all, nil
}

// bootEntries plans parameters of entries: what all share in the environment of GRUB, what one has alone in its file.
func (p *plan) bootEntries(entries, parameters []string) error {
	share := false
	for _, entry := range entries {
		if err := p.edit(entry, publicMode, func(text string) (string, error) {
			lines := linesOf(text)
			for i, line := range lines {
				have, ok := hostconf.BootOptions(entry, line)
				if ok && slices.Contains(strings.Fields(have), hostconf.SharedName) {
					share = true
				} else if ok {
					lines[i] = withParameters(line, parameters)
				}
			}
			return strings.Join(lines, ""), nil
		}); err != nil {
			return err
		}
	}
	if !share {
		return nil
	}
	return p.edit(hostconf.BootEnvironment, privateMode, func(text string) (string, error) { return withShared(text, parameters) })
}

// withShared gives an environment of GRUB whose shared parameters have others too. GRUB writes to its blocks on disk, so that its length stays: what
// is not used of it is number signs.
func withShared(text string, parameters []string) (string, error) {
	body := strings.TrimRight(text, "#")
	lines := linesOf(body)
	found := false
	for i, line := range lines {
		if shared, ok := strings.CutPrefix(line, hostconf.SharedParameters); ok {
			lines[i], found = hostconf.SharedParameters+strings.TrimLeft(withParameters(" "+shared, parameters), " "), true
		}
	}
	if !found {
		return "", fmt.Errorf("%s: found no %s, which entries refer to", hostconf.BootEnvironment, strings.TrimSuffix(hostconf.SharedParameters, "="))
	}
	body = strings.Join(lines, "")
	if len(body) > len(text) {
		return "", fmt.Errorf("%s: found room for %d bytes, expected %d", hostconf.BootEnvironment, len(text), len(body))
	}
	return body + strings.Repeat("#", len(text)-len(body)), nil
}

// withBootParameters gives a menu whose entries have parameters, in the place of others of their names.
func withBootParameters(text string, parameters []string) string {
	lines := linesOf(text)
	for i, line := range lines {
		if hostconf.IsBootEntry(line) {
			lines[i] = withParameters(line, parameters)
		}
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
