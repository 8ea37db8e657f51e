package keyring

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/lock"
)

// Serve is the child process: it carries out commands with a backend until in ends. It ignores interrupts, and its parent's
// death ends everything but a save, so that what has been handed over is stored and the lock is held until then.
func Serve(backend string, in io.Reader, out io.Writer) error {
	ignoreSignals()
	commands, gone := make(chan command, 1), make(chan struct{})
	go read(in, commands, gone)
	results := json.NewEncoder(out)
	for c := range commands {
		done := make(chan result, 1)
		go func() {
			if c.Operation == opLock {
				done <- result{Problem: asProblem(holdLock(c.Key, func() { _ = results.Encode(result{Waiting: true}) }))}
				return
			}
			done <- carryOut(keyring.BackendType(backend), c)
		}()
		outcome, ok := await(c.Operation, done, gone)
		if !ok {
			return nil
		}
		if err := results.Encode(outcome); err != nil {
			return err
		}
	}
	return nil
}

func read(in io.Reader, commands chan<- command, gone chan<- struct{}) {
	defer close(gone)
	defer close(commands)
	lines := json.NewDecoder(bufio.NewReader(in))
	for {
		var c command
		if lines.Decode(&c) != nil {
			return
		}
		commands <- c
	}
}

// await returns false when there is nobody left to tell, or when a save takes longer than anyone waits.
func await(operation string, done <-chan result, gone <-chan struct{}) (result, bool) {
	if operation == opSave {
		gone = nil
	}
	select {
	case outcome := <-done:
		return outcome, true
	case <-gone:
		return result{}, false
	case <-time.After(lock.Patience + 10*time.Second):
		return result{}, false
	}
}

// held keeps the lock from being closed at the next garbage collection, as what nobody refers to is. It ends with the child.
var held []func()

// holdLock takes the lock for as long as the child lives. The parent bounds the wait.
func holdLock(path string, waiting func()) error {
	release, err := lock.Take(context.Background(), path, time.Hour, waiting)
	if err != nil {
		return &Problem{LockFailed, err.Error()}
	}
	held = append(held, release)
	return nil
}

// carryOut carries out one command on an item; a panic of the library becomes a problem.
func carryOut(backend keyring.BackendType, c command) (outcome result) {
	defer func() {
		if v := recover(); v != nil {
			outcome = result{Problem: panicked(v)}
		}
	}()
	items, err := openBackend(backend, c.Passphrase)
	if err != nil {
		return result{Problem: asProblem(err)}
	}
	switch c.Operation {
	case opLoad:
		outcome.Data, err = items.load(c.Key)
	case opSave:
		err = items.save(c.Key, c.Label, c.Data)
	case opList:
		outcome.Items, err = items.list(c.Key)
	case opRemove:
		err = items.remove(c.Key)
	default:
		err = fmt.Errorf("there is no operation %q", c.Operation)
	}
	outcome.Problem = asProblem(err)
	return outcome
}

// noLogonSession is ERROR_NO_SUCH_LOGON_SESSION of Windows.
const noLogonSession = syscall.Errno(1312)

// panicked knows that go-libsecret panics on the result of a prompt that the user has dismissed.
func panicked(value any) *Problem {
	if _, ok := value.(*runtime.TypeAssertionError); ok {
		return &Problem{Locked, "its prompt was dismissed"}
	}
	return &Problem{Failed, fmt.Sprintf("the keyring library crashed (%T)", value)}
}

func asProblem(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, keyring.ErrKeyNotFound) || errors.Is(err, os.ErrNotExist) {
		return &Problem{NotFound, "no such item"}
	}
	if errors.Is(err, noLogonSession) {
		return &Problem{Unavailable, "this logon has none (error 1312), as one over the network by OpenSSH or WinRM, or of a task without a stored password"}
	}
	if p := secretServiceProblem(err); p != nil {
		return p
	}
	return &Problem{Failed, err.Error()}
}
