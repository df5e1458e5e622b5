// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/vedette-sec/vedette/internal/enforce"
)

// Command is what an operator asks of a running agent, one for each connection to its socket.
type Command struct {
	Do       string        `json:"do"`
	Policies []string      `json:"policies,omitempty"` // that are confirmed
	Token    string        `json:"token,omitempty"`    // where the agent is locked, for what weakens protection
	For      time.Duration `json:"for,omitempty"`      // how long to unlock; 0 for the usual time
}

// The commands.
const (
	Confirm  = "confirm"
	PanicOn  = "panic_on"
	PanicOff = "panic_off"
	Lock     = "lock"   // gives a token, once
	Unlock   = "unlock" // lets the agent itself be changed for a while
)

// Reply is the answer to a command.
type Reply struct {
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
}

// mostCommand is how long a command may be, in bytes; commandTime how long it may take to say it, and to take the answer. What
// lies between may take longer: it waits for policies that are being put in force.
const (
	mostCommand = 1 << 16
	commandTime = 5 * time.Second
)

// endingTime is how long the kernel may take to close what a killed agent had open.
const endingTime = 30 * time.Second

// errOther says that an agent is there already.
var errOther = errors.New("another agent takes commands")

// takeCommands begins to. Where that is not possible policies are kept all the same, unless another agent is at work.
func (k *Keeper) takeCommands(ctx context.Context) error {
	if k.cfg.Socket == "" {
		return nil
	}
	listener, err := listen(ctx, k.cfg.Socket)
	if errors.Is(err, errOther) {
		return fmt.Errorf("%w at %s; expected policies::socket to be one of its own", err, k.cfg.Socket)
	}
	if err != nil {
		k.cfg.Logger.Warn("No commands can be taken", zap.Error(err))
		return nil
	}
	k.work.Go(func() {
		<-ctx.Done()
		_ = listener.Close() // it removes the socket
	})
	k.work.Go(func() { k.serve(listener) })
	return nil
}

// listen makes the socket. Only the agent's user, which is root, may write to it.
func listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := freeSocket(path); err != nil {
		return nil, err
	}
	config := net.ListenConfig{Control: makePrivate}
	return config.Listen(ctx, "unix", path)
}

// makePrivate is called before the socket gets its name, which takes over its mode: nobody else can reach it for an instant.
func makePrivate(_, _ string, socket syscall.RawConn) error {
	var err error
	return errors.Join(socket.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }), err)
}

// freeSocket removes what an agent left that ended without doing so. The kernel takes some seconds to
// take down an agent that was killed, and takes connections for it meanwhile: only who answers is there.
func freeSocket(path string) error {
	for deadline := time.Now().Add(endingTime); ; {
		connection, err := net.Dial("unix", path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, syscall.ECONNREFUSED):
			return os.Remove(path)
		case err != nil:
			return err
		}
		if answers(connection, deadline) || time.Now().After(deadline) {
			return errOther
		}
	}
}

// answers asks for nothing, which an agent at work refuses.
func answers(connection net.Conn, deadline time.Time) bool {
	defer connection.Close()
	_ = connection.SetDeadline(deadline) // sockets have deadlines
	if err := json.NewEncoder(connection).Encode(Command{}); err != nil {
		return false
	}
	var reply Reply
	return json.NewDecoder(connection).Decode(&reply) == nil
}

func (k *Keeper) serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return // it is closed
		}
		k.answer(connection)
	}
}

func (k *Keeper) answer(connection net.Conn) {
	defer connection.Close()
	_ = connection.SetReadDeadline(time.Now().Add(k.patience)) // sockets have deadlines
	command, err := readCommand(connection)
	var reply Reply
	if err == nil {
		reply.Text, err = k.do(command)
	}
	if err != nil {
		reply.Error = err.Error()
	}
	_ = connection.SetWriteDeadline(time.Now().Add(k.patience))
	if err := json.NewEncoder(connection).Encode(reply); err != nil {
		k.cfg.Logger.Warn("Who gave a command did not take the answer", zap.String("command", command.Do), zap.Error(err))
	}
}

func readCommand(r io.Reader) (Command, error) {
	var c Command
	if err := json.NewDecoder(io.LimitReader(r, mostCommand)).Decode(&c); err != nil {
		return c, fmt.Errorf("found no command: %w", err)
	}
	return c, nil
}

func (k *Keeper) do(c Command) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return "", enforce.ErrClosed
	}
	switch c.Do {
	case Confirm:
		return k.confirm(c.Policies)
	case PanicOn, PanicOff:
		if err := k.admits(c); c.Do == PanicOn && err != nil {
			return "", err
		}
		return k.panicSwitch(c.Do == PanicOn)
	case Lock:
		return k.setLock()
	case Unlock:
		return k.unlock(c)
	}
	return "", fmt.Errorf("found the command %q, expected %s, %s, %s, %s or %s", c.Do, Confirm, PanicOn, PanicOff, Lock, Unlock)
}

func (k *Keeper) confirm(names []string) (string, error) {
	confirmed, err := k.state.confirm(names...)
	if err != nil {
		return "", err
	}
	if len(confirmed) == 0 {
		return "no policy waits to be confirmed", nil
	}
	if err := k.again(time.Now()); err != nil {
		return "", err
	}
	slices.Sort(confirmed)
	k.cfg.Logger.Info("Policies were confirmed", zap.Strings("policies", confirmed))
	return "enforcing from now on: " + strings.Join(confirmed, ", "), nil
}

func (k *Keeper) panicSwitch(on bool) (string, error) {
	if !on && k.cfg.AuditOnly {
		return "", errors.New("the configuration says policies::panic: audit; expected it to be taken out first")
	}
	if k.enforcer != nil {
		if err := k.enforcer.AuditOnly(on); err != nil {
			return "", err
		}
	}
	k.state.Panic = on
	if err := k.state.write(k.cfg.StateFile); err != nil {
		return "", err
	}
	k.writeStatus()
	k.cfg.Logger.Warn("The operator switched all policies", zap.Bool("panic", on))
	if on {
		return "every policy only reports, until vedette policy panic off", nil
	}
	return "policies do again what their modes say", nil
}

// Ask sends a command to a running agent and gives what it answers. It waits no longer than the context: an agent may be stopped.
func Ask(ctx context.Context, socket string, c Command) (string, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "unix", socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "", fmt.Errorf("nobody takes commands at %s: no agent with policies is running, or its policies::socket is another", socket)
	case err != nil:
		return "", err
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { _ = connection.SetDeadline(time.Unix(0, 1)) })() // sockets have deadlines
	if err := json.NewEncoder(connection).Encode(c); err != nil {
		return "", fmt.Errorf("ask the agent: %w", errors.Join(ctx.Err(), err))
	}
	var reply Reply
	if err := json.NewDecoder(connection).Decode(&reply); err != nil {
		return "", fmt.Errorf("the agent's answer: %w", errors.Join(ctx.Err(), err))
	}
	if reply.Error != "" {
		return "", errors.New(reply.Error)
	}
	return reply.Text, nil
}
