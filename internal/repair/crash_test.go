// SPDX-License-Identifier: Apache-2.0

package repair

// childRoot names the environment variable with the host that a process repairs which is killed on the way.
const childRoot = "VEDETTE_TEST_REPAIR_ROOT"

func child() {}
