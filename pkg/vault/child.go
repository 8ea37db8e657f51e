package vault

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/99designs/keyring"
	"github.com/gofrs/flock"

	"ninjaone-auth/pkg/vault/nobus"
)

func init() { nobus.Restore() }

// ServeKeyring is the hidden command "keyring BACKEND", the child process in which the keyring library runs, as it may
// hang, panic and write to stderr. It answers requests until in ends. It ignores interrupts, and its parent's death
// ends everything but a save, so that what has been handed over is stored and the lock is held until then.
func ServeKeyring(backend string, in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	requests, gone := make(chan request, 1), make(chan struct{})
	go read(in, requests, gone)
	answers := json.NewEncoder(out)
	for r := range requests {
		done := make(chan answer, 1)
		go func() { done <- handle(backend, r, func() { _ = answers.Encode(answer{Waiting: true}) }) }()
		a, ok := await(r.Operation, done, gone)
		if !ok {
			return nil
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

func read(in io.Reader, requests chan<- request, gone chan<- struct{}) {
	defer close(gone)
	defer close(requests)
	lines := json.NewDecoder(bufio.NewReader(in))
	for {
		var r request
		if lines.Decode(&r) != nil {
			return
		}
		requests <- r
	}
}

// await returns false when there is nobody left to answer to, or when a save takes longer than anyone waits.
func await(operation string, done <-chan answer, gone <-chan struct{}) (answer, bool) {
	if operation == opSave {
		gone = nil
	}
	select {
	case a := <-done:
		return a, true
	case <-gone:
		return answer{}, false
	case <-time.After(patience + 10*time.Second):
		return answer{}, false
	}
}

// handle carries out one request; a panic of the library becomes a problem.
func handle(backend string, r request, waiting func()) (a answer) {
	defer func() {
		if v := recover(); v != nil {
			a = answer{Problem: panicked(v)}
		}
	}()
	if r.Operation == opLock {
		return answer{Problem: asProblem(holdLock(r.LockPath, waiting))}
	}
	items, err := openBackend(backend, r.Passphrase)
	if err != nil {
		return answer{Problem: asProblem(err)}
	}
	switch r.Operation {
	case opLoad:
		a.Data, err = items.load(r.Key)
	case opSave:
		err = items.save(r.Key, r.Label, r.Data)
	case opList:
		a.Items, err = items.list()
	case opRemove:
		err = items.remove(r.Key)
	default:
		err = fmt.Errorf("there is no operation %q", r.Operation)
	}
	a.Problem = asProblem(err)
	return a
}

// held is never unlocked: the lock ends with the child.
var held *flock.Flock

func holdLock(path string, waiting func()) error {
	held = flock.New(path)
	taken, err := held.TryLock()
	if err == nil && !taken {
		waiting()
		err = held.Lock()
	}
	if err != nil {
		return &problem{kindLockFailed, err.Error()}
	}
	return nil
}

// panicked knows that go-libsecret panics on the answer of a prompt that the user has dismissed.
func panicked(value any) *problem {
	if _, ok := value.(*runtime.TypeAssertionError); ok {
		return &problem{kindLocked, "its prompt was dismissed"}
	}
	return &problem{kindFailed, fmt.Sprintf("the keyring library crashed (%T)", value)}
}

func asProblem(err error) *problem {
	if err == nil {
		return nil
	}
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, keyring.ErrKeyNotFound) || errors.Is(err, os.ErrNotExist) {
		return &problem{kindNotFound, "no such item"}
	}
	if p := secretServiceProblem(err); p != nil {
		return p
	}
	return &problem{kindFailed, err.Error()}
}
