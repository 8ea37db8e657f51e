package vault

import "time"

// The conversation with the keyring child: one request and at least one answer a line, as JSON. Secrets travel here
// only, never in arguments or the environment.

const (
	opLock   = "lock"
	opLoad   = "load"
	opSave   = "save"
	opList   = "list"
	opRemove = "remove"
)

type request struct {
	Operation string
	Key       string `json:",omitempty"`
	// Label is what the system's own programs show for the item.
	Label string `json:",omitempty"`
	Data  []byte `json:",omitempty"`
	// LockPath is the file that opLock locks until the child ends.
	LockPath string `json:",omitempty"`
	// Passphrase opens the file backend.
	Passphrase string `json:",omitempty"`
}

type answer struct {
	// Waiting says that the answer proper follows when another process gives up the lock.
	Waiting bool     `json:",omitempty"`
	Data    []byte   `json:",omitempty"`
	Items   []listed `json:",omitempty"`
	Problem *problem `json:",omitempty"`
}

// listed is one item, or why it could not be read.
type listed struct {
	Key     string
	Data    []byte   `json:",omitempty"`
	Problem *problem `json:",omitempty"`
}

// problem is what went wrong in the child.
type problem struct {
	Kind   string
	Reason string
}

const (
	kindNotFound        = "not found"
	kindUnavailable     = "unavailable"
	kindLocked          = "locked"
	kindPassphraseWrong = "passphrase wrong"
	kindDamaged         = "damaged"
	kindLockFailed      = "lock failed"
	kindFailed          = "failed"
)

func (p *problem) Error() string { return p.Reason }

// patience bounds every wait for a lock and for a keyring.
var patience = 2 * time.Minute
