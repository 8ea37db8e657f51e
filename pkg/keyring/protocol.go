package keyring

// The conversation with the child: a command and at least one result a line, as JSON. Secrets travel here only, never in
// arguments or the environment.

const (
	opLock   = "lock"
	opLoad   = "load"
	opSave   = "save"
	opList   = "list"
	opRemove = "remove"
)

type command struct {
	Operation string
	// Key is the item's; for opList it is the pattern of keys, and for opLock the path of the file.
	Key        string
	Label      string `json:",omitempty"`
	Data       []byte `json:",omitempty"`
	Passphrase string `json:",omitempty"`
}

type result struct {
	// Waiting says that another process has the lock; the result proper follows when it has given it up.
	Waiting bool     `json:",omitempty"`
	Data    []byte   `json:",omitempty"`
	Items   []Item   `json:",omitempty"`
	Problem *Problem `json:",omitempty"`
}

func (r result) err() error {
	if r.Problem == nil {
		return nil
	}
	return r.Problem
}

// Problem is what went wrong with a keyring. Reason completes the sentence "It cannot be used: …".
type Problem struct {
	Kind   Kind
	Reason string
}

// Kind tells problems apart.
type Kind string

// The kinds of problems.
const (
	NotFound        Kind = "not found"
	Unavailable     Kind = "unavailable"
	Locked          Kind = "locked"
	PassphraseWrong Kind = "passphrase wrong"
	Damaged         Kind = "damaged"
	TimedOut        Kind = "timed out"
	LockFailed      Kind = "lock failed"
	Failed          Kind = "failed"
)

// Error returns the reason.
func (p *Problem) Error() string { return p.Reason }

func timedOut() *Problem { return &Problem{TimedOut, "it has not answered in time"} }
