// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package sensor

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vedette-sec/vedette/bpf"
)

// The kernel side is compiled apart: a change of a record's layout has to be made on purpose.
func TestABI(t *testing.T) {
	var (
		head    bpf.SensorEventHead
		exec    bpf.SensorExecEvent
		file    bpf.SensorFileEvent
		netw    bpf.SensorNetEvent
		fd      bpf.SensorEventFd
		address bpf.SensorEventAddress
		text    bpf.SensorEventString
	)
	for name, is := range map[string][2]uintptr{
		"head":        {unsafe.Sizeof(head), 56},
		"head.time":   {unsafe.Offsetof(head.Time), 8},
		"head.start":  {unsafe.Offsetof(head.StartTime), 16},
		"head.tgid":   {unsafe.Offsetof(head.Tgid), 24},
		"head.cgroup": {unsafe.Offsetof(head.Cgroup), 32},
		"head.uid":    {unsafe.Offsetof(head.Uid), 40},
		"address":     {unsafe.Sizeof(address), 40},
		"fd":          {unsafe.Sizeof(fd), 64},
		"string":      {unsafe.Sizeof(text), 8},
		"fork":        {unsafe.Sizeof(bpf.SensorForkEvent{}), 72},
		"exit":        {unsafe.Sizeof(bpf.SensorExitEvent{}), 64},
		"exec":        {unsafe.Sizeof(exec), 56 + 16 + 24 + 16 + 3*64 + 4*8},
		"exec.fds":    {unsafe.Offsetof(exec.Fds), 112},
		"exec.exe":    {unsafe.Offsetof(exec.Exe), 304},
		"file":        {unsafe.Sizeof(file), 120},
		"file.path":   {unsafe.Offsetof(file.Path), 88},
		"net":         {unsafe.Sizeof(netw), 104},
		"net.address": {unsafe.Offsetof(netw.Address), 56},
		"net.ret":     {unsafe.Offsetof(netw.Ret), 96},
		"access":      {unsafe.Sizeof(bpf.SensorAccessEvent{}), 88},
		"setid":       {unsafe.Sizeof(bpf.SensorSetidEvent{}), 112},
		"attributes":  {unsafe.Sizeof(bpf.SensorAttributeEvent{}), 120},
		"module":      {unsafe.Sizeof(bpf.SensorModuleEvent{}), 144},
		"stdio":       {unsafe.Sizeof(bpf.SensorStdioEvent{}), 56 + 3*64},
		"dns":         {unsafe.Sizeof(bpf.SensorDnsEvent{}), 112},
	} {
		assert.Equal(t, is[1], is[0], name)
	}
}

func record(t testing.TB, kind Kind, size int) []byte {
	t.Helper()
	raw := make([]byte, size)
	head := (*bpf.SensorEventHead)(unsafe.Pointer(unsafe.SliceData(raw)))
	head.Kind, head.Size = uint16(kind), uint32(size)
	return raw
}

func TestParseRefuses(t *testing.T) {
	head := int(unsafe.Sizeof(bpf.SensorEventHead{}))
	wrongSize := record(t, KindExec, head)
	wrongSize[4]++
	for name, raw := range map[string][]byte{
		"empty":        nil,
		"short":        make([]byte, head-1),
		"wrong size":   wrongSize,
		"unknown kind": record(t, kindCount, head),
		"no kind":      record(t, 0, head),
	} {
		_, err := Parse(raw)
		assert.ErrorIs(t, err, ErrMalformed, name)
	}
	r, err := Parse(record(t, KindExec, head))
	require.NoError(t, err)
	_, _, err = r.Exec()
	assert.ErrorIs(t, err, ErrMalformed)
}

func TestStringsStayInsideTheRecord(t *testing.T) {
	size := int(unsafe.Sizeof(bpf.SensorFileEvent{}))
	raw := append(record(t, KindOpen, size), "ab"...)
	e := (*bpf.SensorFileEvent)(unsafe.Pointer(unsafe.SliceData(raw)))
	e.Head.Size = uint32(len(raw))
	e.Path.Len = 2
	r, err := Parse(raw)
	require.NoError(t, err)
	_, text, err := r.File()
	require.NoError(t, err)
	assert.Equal(t, "ab", string(text.Path))
	assert.Empty(t, text.Path2)

	e.Path2.Len = 1
	_, _, err = r.File()
	assert.ErrorIs(t, err, ErrMalformed)
}

func FuzzParse(f *testing.F) {
	f.Add(record(f, KindExec, 400))
	f.Add(record(f, KindOpen, 200))
	f.Add(record(f, KindConnect, 104))
	f.Add(record(f, KindDNS, 200))
	f.Fuzz(func(t *testing.T, in []byte) {
		raw := make([]byte, len(in)) // aligned
		copy(raw, in)
		r, err := Parse(raw)
		if err != nil {
			return
		}
		if _, s, err := r.Exec(); err == nil {
			require.LessOrEqual(t, len(s.Exe)+len(s.Filename)+len(s.Cwd)+len(s.Args), len(raw))
		}
		if _, s, err := r.File(); err == nil {
			require.LessOrEqual(t, len(s.Path)+len(s.Path2)+len(s.Base)+len(s.Base2), len(raw))
		}
		if _, message, err := r.DNS(); err == nil {
			require.LessOrEqual(t, len(message), len(raw))
		}
		if _, path, err := r.Module(); err == nil {
			require.LessOrEqual(t, len(path), len(raw))
		}
		_, _ = r.Net()
		if _, s, err := r.Attributes(); err == nil {
			require.LessOrEqual(t, len(s.Path)+len(s.Base)+len(s.Name), len(raw))
		}
		_, _ = r.Access()
		_, _ = r.SetID()
		_, _ = r.Fork()
		_, _ = r.Exit()
		_, _ = r.Stdio()
	})
}
