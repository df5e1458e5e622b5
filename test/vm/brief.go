// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"

	"github.com/vedette-sec/vedette/internal/ring"
)

// briefTests are patterns of the tests that run on a kernel that is booted in brief, by their packages: that the verifier takes every program
// for policies, that no known way leads around them, and that the whole agent, with its sensor, keeps an intruder out. What fails there is known
// before hosts have that kernel.
var briefTests = map[string][]string{
	"internal/enforce/lsm": {"TestLoads", "TestBypass*"},
	"test/e2e":             {"TestPolicyKeepsAnIntruderOut"},
}

// inBrief gives the packages and tests that run in brief.
func inBrief(all []testPackage) ([]testPackage, error) {
	var brief []testPackage
	for _, p := range all {
		var tests []string
		for _, pattern := range briefTests[p.rel] {
			named := slices.DeleteFunc(slices.Clone(p.tests), func(name string) bool {
				ok, err := path.Match(pattern, name)
				return !ok || err != nil
			})
			if len(named) == 0 {
				return nil, fmt.Errorf("tests in brief: found no %s for the guests in %s", pattern, p.rel)
			}
			tests = append(tests, named...)
		}
		if len(tests) > 0 {
			brief = append(brief, testPackage{rel: p.rel, tests: tests})
		}
	}
	if len(brief) != len(briefTests) {
		return nil, fmt.Errorf("tests in brief: found %d packages, expected %d", len(brief), len(briefTests))
	}
	return brief, nil
}

// addBrief adds the kernel that is booted in brief. Where there is none it says so, and that is an error only where the ring must run.
func (s *session) addBrief(ctx context.Context, cache string) error {
	if s.brief == "" {
		return nil
	}
	k, err := getKernel(ctx, cache, s.brief, s.update)
	if err == nil {
		s.kernels = append(s.kernels, k)
		return nil
	}
	required, parseErr := ring.ParseRings(os.Getenv(ring.RequireEnv))
	if parseErr != nil {
		return fmt.Errorf("%s: %w", ring.RequireEnv, parseErr)
	}
	if ctx.Err() != nil || slices.Contains(required, ring.VM) {
		return fmt.Errorf("%w: %w", errCannotRun, err)
	}
	fmt.Fprintf(s.out, "%-5s is not booted: %s\n", s.brief, err)
	return nil
}

// testsOn are the packages and tests that run on a kernel, and their binaries.
func (s *session) testsOn(k kernel) ([]testPackage, binaries, error) {
	if k.Line != s.brief {
		return s.packages, s.bin, nil
	}
	packages, err := inBrief(s.packages)
	if err != nil {
		return nil, binaries{}, err
	}
	bin := binaries{runner: s.bin.runner, program: s.bin.program, tests: map[string]string{}}
	for _, p := range packages {
		bin.tests[p.rel] = s.bin.tests[p.rel]
	}
	return packages, bin, nil
}
