// SPDX-License-Identifier: Apache-2.0

//go:build linux && amd64

package ebpfreceiver

import (
	"time"

	"github.com/vedette-sec/vedette/internal/process"
	"github.com/vedette-sec/vedette/internal/sensor"
)

// handle brings the process table up to date with a record and emits the event.
func (r *ebpfReceiver) handle(record sensor.Record) error {
	at := r.table.Time(record.Head().Time)
	r.table.Settle(record.Head().Time)
	var err error
	switch record.Kind() {
	case sensor.KindFork:
		err = r.fork(at, record)
	case sensor.KindExec:
		err = r.exec(at, record)
	case sensor.KindExit:
		err = r.exit(at, record)
	case sensor.KindStdio:
		err = r.stdio(record)
	case sensor.KindConnect, sensor.KindAccept, sensor.KindBind, sensor.KindListen:
		err = r.network(at, record)
	case sensor.KindDNS:
		err = r.dns(at, record)
	case sensor.KindModuleLoad, sensor.KindModuleUnload:
		err = r.module(at, record)
	case sensor.KindAccess, sensor.KindInject:
		err = r.access(at, record)
	case sensor.KindSetID:
		err = r.setID(at, record)
	case sensor.KindAttributes:
		err = r.attributes(at, record)
	case sensor.KindImageLoad:
		err = r.imageLoad(at, record)
	default:
		err = r.file(at, record)
	}
	r.builder.remoteStdios(at, r.table.TakeRemoteStdio())
	return err
}

func (r *ebpfReceiver) fork(at time.Time, record sensor.Record) error {
	e, err := record.Fork()
	if err != nil {
		return err
	}
	r.builder.fork(at, r.table.Fork(e))
	return nil
}

func (r *ebpfReceiver) exec(at time.Time, record sensor.Record) error {
	e, s, err := record.Exec()
	if err != nil {
		return err
	}
	r.builder.exec(at, r.table.Exec(e, process.ExecStrings(s)))
	return nil
}

func (r *ebpfReceiver) exit(at time.Time, record sensor.Record) error {
	e, err := record.Exit()
	if err != nil {
		return err
	}
	r.builder.exit(at, r.table.Exit(e), e.ExitCode)
	return nil
}

func (r *ebpfReceiver) stdio(record sensor.Record) error {
	e, err := record.Stdio()
	if err != nil {
		return err
	}
	r.table.Stdio(e)
	return nil
}

func (r *ebpfReceiver) file(at time.Time, record sensor.Record) error {
	e, s, err := record.File()
	if err != nil {
		return err
	}
	if r.reads != nil && record.Kind() != sensor.KindOpen && record.Kind() != sensor.KindFileAccess {
		name, _ := namesOf(e, s)
		r.reads.nameChanged(name)
	}
	r.tellFile(record.Kind(), e, s)
	r.builder.file(kindNames[record.Kind()], at, r.table.Get(&e.Head), e, s)
	return nil
}

func (r *ebpfReceiver) network(at time.Time, record sensor.Record) error {
	e, err := record.Net()
	if err != nil {
		return err
	}
	p := r.table.Get(&e.Head)
	r.builder.network(kindNames[record.Kind()], at, p, e)
	kind := record.Kind()
	if e.Ret >= 0 && (kind == sensor.KindConnect || kind == sensor.KindAccept) {
		local, peer := process.Addresses(&e.Address)
		r.table.Connected(p, e.Address.Protocol, local, peer, kind == sensor.KindAccept)
	}
	return nil
}

func (r *ebpfReceiver) dns(at time.Time, record sensor.Record) error {
	e, message, err := record.DNS()
	if err != nil {
		return err
	}
	r.builder.dns(at, r.table.Get(&e.Head), e, message)
	return nil
}

func (r *ebpfReceiver) module(at time.Time, record sensor.Record) error {
	e, path, err := record.Module()
	if err != nil {
		return err
	}
	r.builder.module(kindNames[record.Kind()], at, r.table.Get(&e.Head), e, path)
	return nil
}

func (r *ebpfReceiver) access(at time.Time, record sensor.Record) error {
	e, err := record.Access()
	if err != nil {
		return err
	}
	p, target := r.table.Get(&e.Head), r.table.Other(e.Target.Tgid, e.Target.StartTime)
	r.builder.access(kindNames[record.Kind()], at, p, target, e)
	return nil
}

func (r *ebpfReceiver) setID(at time.Time, record sensor.Record) error {
	e, err := record.SetID()
	if err != nil {
		return err
	}
	r.builder.setID(at, r.table.SetIDs(e), e)
	return nil
}

func (r *ebpfReceiver) attributes(at time.Time, record sensor.Record) error {
	e, s, err := record.Attributes()
	if err != nil {
		return err
	}
	r.tellAttributes(e, s)
	r.builder.attributes(at, r.table.Get(&e.Head), e, s)
	return nil
}

func (r *ebpfReceiver) imageLoad(at time.Time, record sensor.Record) error {
	e, s, err := record.File()
	if err != nil {
		return err
	}
	r.builder.imageLoad(at, r.table.Get(&e.Head), text(s.Path))
	return nil
}
