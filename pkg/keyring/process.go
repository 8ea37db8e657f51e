package keyring

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring/nobus"
)

// process is a running child, seen from its parent.
type process struct {
	program  *exec.Cmd
	patience time.Duration
	stdin    io.WriteCloser
	results  chan result
	stderr   clipped
	// saving says that a save was left to finish by itself.
	saving bool
}

func startProcess(backend keyring.BackendType, patience time.Duration) (*process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{program: exec.Command(path, nobus.ChildCommand, string(backend)), patience: patience, results: make(chan result)}
	p.program.Stderr = &p.stderr
	p.program.WaitDelay = time.Second
	detach(p.program)
	if p.stdin, err = p.program.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.program.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.program.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

func (p *process) read(stdout io.Reader) {
	defer close(p.results)
	lines := json.NewDecoder(stdout)
	for {
		var r result
		if lines.Decode(&r) != nil {
			return
		}
		p.results <- r
	}
}

// do has the child carry out a command. It kills a child that does not answer in time, and one that is not saving when
// ctx ends.
func (p *process) do(ctx context.Context, c command, waiting func()) (result, error) {
	line, err := json.Marshal(c)
	if err != nil {
		return result{}, err
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = p.stdin.Write(append(line, '\n'))
	}()
	deadline := time.After(p.patience)
	for {
		select {
		case r, ok := <-p.results:
			switch {
			case !ok:
				p.end()
				return result{}, &Problem{Failed, "the process that works with it ended (" + p.program.ProcessState.String() + ")" + p.stderr.note()}
			case r.Waiting:
				waiting()
			case r.Problem != nil && r.Problem.Kind == Failed:
				return result{}, &Problem{Failed, r.Problem.Reason + p.stderr.note()}
			default:
				return r, r.err()
			}
		case <-ctx.Done():
			if c.Operation != opSave {
				kill(p.program)
				return result{}, failure.Interruption(ctx.Err())
			}
			p.saving = true
			select {
			case <-written:
			case <-deadline:
			}
			return result{}, failure.Interruption(ctx.Err())
		case <-deadline:
			kill(p.program)
			return result{}, timedOut()
		}
	}
}

// end lets the child finish, which releases its lock, and waits for it unless a save was left to finish by itself.
func (p *process) end() {
	p.stdin.Close()
	if p.saving {
		return
	}
	go func() {
		for range p.results {
		}
	}()
	_ = p.program.Wait()
}

// clipped keeps the first bytes of what a child says on stderr.
type clipped struct {
	mu   sync.Mutex
	text []byte
}

func (c *clipped) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, b[:min(len(b), 300-min(300, len(c.text)))]...)
	return len(b), nil
}

// note returns what programs such as gpg said, as the end of a message in one line.
func (c *clipped) note() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if said := failure.Clean(string(c.text)); said != "" {
		return " (" + said + ")"
	}
	return ""
}

// ended tells whether the child has ended by itself and was waited for.
func (p *process) ended() bool { return p.program.ProcessState != nil }
