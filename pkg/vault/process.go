package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/99designs/keyring"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/vault/nobus"
)

// process is a running keyring child, seen from the parent.
type process struct {
	backend keyring.BackendType
	command *exec.Cmd
	stdin   io.WriteCloser
	answers chan answer
	stderr  clipped
	// saving says that a save was left to finish by itself.
	saving bool
}

func startProcess(backend keyring.BackendType) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{backend: backend, answers: make(chan answer)}
	p.command = exec.Command(program, nobus.ChildCommand, string(backend))
	p.command.Stderr = &p.stderr
	p.command.WaitDelay = time.Second
	detach(p.command)
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go p.read(stdout)
	return p, nil
}

func (p *process) read(stdout io.Reader) {
	defer close(p.answers)
	lines := json.NewDecoder(stdout)
	for {
		var a answer
		if lines.Decode(&a) != nil {
			return
		}
		p.answers <- a
	}
}

// ask returns the child's answer. It kills a child that does not answer in time, and one that is not saving when ctx
// ends. Errors: *problem; context.DeadlineExceeded; the cause for which ctx ended.
func (p *process) ask(ctx context.Context, r request, waiting func()) (answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = p.stdin.Write(append(line, '\n'))
	}()
	deadline := time.After(patience)
	for {
		select {
		case a, ok := <-p.answers:
			switch {
			case !ok:
				p.end()
				return answer{}, &problem{kindFailed, "the process that works with it ended (" + p.command.ProcessState.String() + ")" + p.stderr.note()}
			case a.Waiting:
				waiting()
			case a.Problem != nil && a.Problem.Kind == kindFailed:
				a.Problem.Reason += p.stderr.note()
				return answer{}, a.Problem
			case a.Problem != nil:
				return answer{}, a.Problem
			default:
				return a, nil
			}
		case <-ctx.Done():
			if r.Operation != opSave {
				kill(p.command)
				return answer{}, failure.Interrupted(ctx.Err())
			}
			p.saving = true
			select {
			case <-written:
			case <-deadline:
			}
			return answer{}, failure.Interrupted(ctx.Err())
		case <-deadline:
			kill(p.command)
			return answer{}, context.DeadlineExceeded
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
		for range p.answers {
		}
	}()
	_ = p.command.Wait()
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
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(c.text), "?"))
	if printable = strings.TrimSpace(printable); printable == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", printable)
}

// ended tells whether the child has ended by itself and was waited for.
func (p *process) ended() bool { return p.command.ProcessState != nil }
