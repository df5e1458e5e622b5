// SPDX-License-Identifier: Apache-2.0

package policy

// refusals are the kinds of findings for which Check refuses a policy, unless it overrides them.
var refusals = []string{"conflict", "everybody", "lockout", "missing"}
