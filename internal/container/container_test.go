// SPDX-License-Identifier: Apache-2.0

package container

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	id1  = "3f4e5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081"
	id2  = "00aa11bb22cc33dd44ee55ff66aa77bb88cc99dd00ee11ff22aa33bb44cc55dd"
	uid  = "0b7c9a4e-3d51-4e0a-9f21-6f0c1d2e3f40"
	uid_ = "0b7c9a4e_3d51_4e0a_9f21_6f0c1d2e3f40"
)

func TestFromCgroup(t *testing.T) {
	for _, tt := range []struct {
		name, path, id, runtime string
	}{
		{"docker, cgroupfs", "/docker/" + id1, id1, Docker},
		{"docker, systemd", "/system.slice/docker-" + id1 + ".scope", id1, Docker},
		{"docker, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id1 + ".scope", id1, Docker},
		{"docker, systemd inside", "/docker/" + id1 + "/system.slice/sshd.service", id1, Docker},
		{"docker in docker", "/docker/" + id1 + "/docker/" + id2, id2, Docker},
		{"docker, systemd form without systemd", "/system.slice:docker:" + id1, id1, Docker},
		{"docker, ended", "/system.slice/docker-" + id1 + ".scope (deleted)", id1, Docker},
		{"docker, seen from another cgroup namespace", "/../../docker-" + id1 + ".scope", id1, Docker},
		{"containerd, cri", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid_ + ".slice/cri-containerd-" + id1 + ".scope", id1, Containerd},
		{"containerd, guaranteed pod", "/kubepods.slice/kubepods-pod" + uid_ + ".slice/cri-containerd-" + id1 + ".scope", id1, Containerd},
		{"containerd, kind", "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + uid_ + ".slice/cri-containerd-" + id1 + ".scope", id1, Containerd},
		{"containerd, cri without systemd", "/system.slice/containerd.service/kubepods-burstable-pod" + uid_ + ".slice:cri-containerd:" + id1, id1, Containerd},
		{"containerd, namespace", "/k8s.io/" + id1, id1, Containerd},
		{"nerdctl, systemd", "/system.slice/nerdctl-" + id1 + ".scope", id1, Containerd},
		{"nerdctl, cgroupfs", "/default/" + id1, id1, Containerd},
		{"cri-o", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_ + ".slice/crio-" + id1 + ".scope", id1, CRIO},
		{"cri-o, subgroup", "/kubepods.slice/kubepods-pod" + uid_ + ".slice/crio-" + id1 + ".scope/container", id1, CRIO},
		{"cri-o, cgroupfs", "/kubepods/burstable/pod" + uid + "/crio-" + id1, id1, CRIO},
		{"podman", "/machine.slice/libpod-" + id1 + ".scope", id1, Podman},
		{"podman, crun", "/machine.slice/libpod-" + id1 + ".scope/container", id1, Podman},
		{"podman, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id1 + ".scope/container", id1, Podman},
		{"podman, cgroupfs", "/libpod_parent/libpod-" + id1, id1, Podman},
		{"podman, quadlet", "/system.slice/web.service/libpod-payload-" + id1, id1, Podman},
		{"nspawn, scope", "/machine.slice/machine-deb.scope", "deb", Nspawn},
		{"nspawn, escaped", `/machine.slice/machine-web\x2dfront\x2d1.scope/payload/system.slice/nginx.service`, "web-front-1", Nspawn},
		{"nspawn, unit", "/machine.slice/systemd-nspawn@builder.service/payload/init.scope", "builder", Nspawn},
		{"nspawn, unit escaped", `/machine.slice/systemd-nspawn@db\x2d2.service`, "db-2", Nspawn},
		{"kubernetes, cgroupfs", "/kubepods/besteffort/pod" + uid + "/" + id1, id1, Kubernetes},
		{"kubernetes, static pod", "/kubepods/burstable/pod" + strings.ReplaceAll(uid, "-", "") + "/" + id1, id1, Kubernetes},
		{"kubernetes, docker's scope", "/kubepods.slice/kubepods-pod" + uid_ + ".slice/docker-" + id1 + ".scope", id1, Docker},
		{"lxc", "/lxc.payload.alpine", "alpine", LXC},
		{"lxc, unit inside", "/lxc.payload.web.1/system.slice/cron.service", "web.1", LXC},
		{"lxc, v1", "/lxc/alpine/init.scope", "alpine", LXC},
		{"lxc, libvirt", `/machine.slice/machine-lxc\x2d4321\x2dguest.scope`, "guest", LXC},

		{"root", "/", "", ""},
		{"empty", "", "", ""},
		{"login session", "/user.slice/user-0.slice/session-1.scope", "", ""},
		{"docker daemon", "/system.slice/docker.service", "", ""},
		{"short id", "/docker/" + id1[:63], "", ""},
		{"long id", "/docker/" + id1 + "0", "", ""},
		{"upper case", "/docker/" + strings.ToUpper(id1), "", ""},
		{"id without a known parent", "/process_api/" + id1, "", ""},
		{"unknown prefix", "/system.slice/mydocker-" + id1 + ".scope", "", ""},
		{"no prefix", "/system.slice/-" + id1 + ".scope", "", ""},
		{"cri-o monitor", "/kubepods.slice/kubepods-pod" + uid_ + ".slice/crio-conmon-" + id1 + ".scope", "", ""},
		{"podman monitor", "/machine.slice/libpod-conmon-" + id1 + ".scope", "", ""},
		{"pod without container", "/kubepods.slice/kubepods-pod" + uid_ + ".slice", "", ""},
		{"not a pod", "/kubepods/besteffort/podcast/" + id1, "", ""},
		{"nspawn supervisor, scope", "/machine.slice/machine-deb.scope/supervisor", "", ""},
		{"nspawn supervisor, unit", "/machine.slice/systemd-nspawn@deb.service/supervisor", "", ""},
		{"nspawn without a name", "/machine.slice/systemd-nspawn@.service", "", ""},
		{"machine elsewhere", "/user.slice/machine-deb.scope", "", ""},
		{"virtual machine", `/machine.slice/machine-qemu\x2d3\x2dwin.scope/libvirt/vcpu0`, "", ""},
		{"lxc monitor", "/lxc.monitor.alpine", "", ""},
		{"lxc payload without a name", "/lxc.payload.", "", ""},
		{"lxc not at the root", "/system.slice/lxc/lxc.service", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, runtime := FromCgroup(tt.path)
			assert.Equal(t, tt.id, id)
			assert.Equal(t, tt.runtime, runtime)
		})
	}
}

func TestFromProcCgroup(t *testing.T) {
	for _, tt := range []struct {
		name, content, id, runtime string
	}{
		{"v2", "0::/system.slice/docker-" + id1 + ".scope\n", id1, Docker},
		{"v1", "12:pids:/docker/" + id1 + "\n1:name=systemd:/docker/" + id1 + "\n", id1, Docker},
		{"hybrid, v2 root", "9:memory:/docker/" + id1 + "\n1:name=systemd:/docker/" + id1 + "\n0::/\n", id1, Docker},
		{"v2 before the others", "5:cpu:/docker/" + id1 + "\n0::/docker/" + id2 + "\n", id2, Docker},
		{"systemd before controllers", "5:cpu:/docker/" + id1 + "\n1:name=systemd:/docker/" + id2 + "\n0::/\n", id2, Docker},
		{"colon in the path", "0::/system.slice/a:b/docker-" + id1 + ".scope", id1, Docker},
		{"host", "1:name=systemd:/init.scope\n0::/init.scope\n", "", ""},
		{"own cgroup namespace", "0::/\n", "", ""},
		{"empty", "", "", ""},
		{"garbage", "no colons\n:\n::\n", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, runtime := FromProcCgroup([]byte(tt.content))
			assert.Equal(t, tt.id, id)
			assert.Equal(t, tt.runtime, runtime)
		})
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`a\x2db`: "a-b", `\x2d`: "-", `a\x2`: `a\x2`, `a\xzzb`: `a\xzzb`, `a\b`: `a\b`, "plain": "plain",
	} {
		assert.Equal(t, want, unescape(in), in)
	}
}

func FuzzFromProcCgroup(f *testing.F) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err == nil {
		f.Add(own)
	}
	f.Add([]byte("1:name=systemd:/docker/" + id1 + "\n0::/\n"))
	f.Add([]byte(`0::/machine.slice/machine-a\x2db.scope/payload`))
	f.Add([]byte("0::/lxc/x\n0::/lxc.payload.y\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		id, runtime := FromProcCgroup(content)
		require.Equal(t, id == "", runtime == "")
		switch runtime {
		case "", Nspawn, LXC:
		default:
			require.True(t, isID(id), "%s id %q", runtime, id)
		}
	})
}

func TestSystemdCgroup(t *testing.T) {
	for content, want := range map[string]string{
		"":                             "",
		"0::/\n":                       "",
		"0::/system.slice/a.service\n": "/system.slice/a.service",
		"12:pids:/x\n1:name=systemd:/a.slice\n0::/\n": "/a.slice",
		"2:cpu:/0::/x\n0::/y\n":                       "/y",
		"no cgroup":                                   "",
	} {
		assert.Equal(t, want, SystemdCgroup([]byte(content)), content)
	}
}

func TestCgroupsOfMachine(t *testing.T) {
	for machine, want := range map[string][2][]string{
		"deb": {{"lxc.payload.deb", "systemd-nspawn@deb.service"}, {"machine-deb.scope"}},
		"web-front.1": {
			{"lxc.payload.web-front.1", "systemd-nspawn@web-front.1.service", `systemd-nspawn@web\x2dfront.1.service`},
			{`machine-web\x2dfront.1.scope`},
		},
		"lxc-7-web": {{"lxc.payload.lxc-7-web", "systemd-nspawn@lxc-7-web.service", `systemd-nspawn@lxc\x2d7\x2dweb.service`}, nil},
	} {
		anywhere, inSlice := CgroupsOfMachine(machine)
		assert.Equal(t, want, [2][]string{anywhere, inSlice}, machine)
		for _, name := range anywhere {
			id, _ := FromCgroup("/system.slice/" + name)
			assert.Equal(t, machine, id, name)
		}
		for _, name := range inSlice {
			id, _ := FromCgroup("/" + MachineSlice + "/" + name)
			assert.Equal(t, machine, id, name)
			id, _ = FromCgroup("/user.slice/" + name)
			assert.Empty(t, id, name)
		}
	}
}
