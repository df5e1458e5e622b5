// SPDX-License-Identifier: Apache-2.0

package event

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKinds(t *testing.T) {
	require.NotEmpty(t, Kinds())
	for _, want := range Kinds() {
		have, ok := KindByName(want.Name)
		require.True(t, ok)
		assert.Equal(t, want, have)
		for _, category := range want.Sigma {
			assert.Contains(t, KindsFor(category), want.Name)
		}
	}
	_, ok := KindByName("no.such")
	assert.False(t, ok)
}

func TestKindsCarryTheirGroupsAndFields(t *testing.T) {
	k, _ := KindByName(KindFileRename)
	for _, a := range []string{AttrProcessEntityID, AttrFilePath, AttrFileOriginalPath, AttrEventOutcome} {
		assert.Contains(t, k.Attributes, a)
	}
	assert.NotContains(t, k.Attributes, AttrProcessCommandArgs)
	assert.NotContains(t, k.Attributes, AttrSourceAddress)
	assert.Equal(t, ECSEvent{Category: []string{"file"}, Type: []string{"change"}, Action: "rename"}, k.ECS)
}

func TestSensed(t *testing.T) {
	for name, want := range map[string]bool{
		KindProcessExec: true, KindKernelModuleUnload: true, KindDNSQuery: true,
		KindSecurityAlert: false, KindResponseAction: false, KindEnforcementDenied: false, KindBaselineRule: false,
	} {
		kind, ok := KindByName(name)
		require.True(t, ok, name)
		assert.Equal(t, want, kind.Sensed(), name)
	}
}

func TestIsAttribute(t *testing.T) {
	assert.True(t, IsAttribute(AttrFileTargetPath))
	assert.False(t, IsAttribute("Image"))
}

func TestSigmaAttributes(t *testing.T) {
	for _, tc := range []struct {
		category, field string
		want            []string
	}{
		{"process_creation", "Image", []string{AttrProcessExecutablePath, AttrProcessInvokedPath}},
		{"file_event", "Image", []string{AttrProcessExecutablePath, AttrProcessInvokedPath}},
		{"network_connection", "Initiated", []string{AttrNetworkInitiated}},
		{"process_creation", "Initiated", nil},
		{"process_remote_stdio", "RelayImage", []string{AttrProcessIORelayExecutablePath}},
		{"process_creation", "NoSuchField", nil},
	} {
		assert.Equal(t, tc.want, SigmaAttributes(tc.category, tc.field), "%s in %s", tc.field, tc.category)
	}
}

func TestKindsForAndBack(t *testing.T) {
	assert.Equal(t, []string{KindFileOpen, KindFileCreate, KindFileRename}, KindsFor("file_event"))
	assert.Nil(t, KindsFor("registry_set"))
	assert.Equal(t, []string{"file_event", "file_change", "auditd"}, SigmaCategories(KindFileOpen))
	assert.Nil(t, SigmaCategories(KindSecurityAlert))
	assert.Nil(t, SigmaCategories("no.such"))
}

func TestECSPlanIsInOrderOfSegments(t *testing.T) {
	segments := func(a, b ECSField) int {
		return slices.Compare(strings.Split(a.Path, "."), strings.Split(b.Path, "."))
	}
	plan := ECSPlan()
	assert.True(t, slices.IsSortedFunc(plan, segments))
	i := slices.IndexFunc(plan, func(f ECSField) bool { return f.Attribute == AttrHostName })
	require.GreaterOrEqual(t, i, 0)
	assert.Equal(t, ECSField{Path: "host.name", Attribute: AttrHostName, Type: String}, plan[i])
	for _, f := range plan {
		assert.NotEqual(t, AttrProcessTTY, f.Attribute, "has no ECS field")
	}
}

func TestTypeOf(t *testing.T) {
	for attribute, want := range map[string]Type{AttrProcessPID: Int, AttrFilePathTruncated: Bool, AttrFileFlags: Strings, AttrHostName: String, AttrVedetteMatched: Map} {
		have, known := TypeOf(attribute)
		assert.True(t, known, attribute)
		assert.Equal(t, want, have, attribute)
	}
	_, known := TypeOf("no.such")
	assert.False(t, known)
	assert.Contains(t, ResourceAttributes(), AttrHostName)
	assert.NotContains(t, ResourceAttributes(), AttrProcessPID)
}
