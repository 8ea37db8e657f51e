// Package doctor finds out why something does not work on this machine. It changes nothing, asks nobody, unlocks nothing, and
// what it finds holds no secret: it is what people paste into an issue.
package doctor

import (
	"context"
	"fmt"
	"time"

	"ninjaone-auth/pkg/failure"
)

// Status is how a check ended.
type Status string

// The statuses of docs/commands.md.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failure Status = "failure"
)

// Finding is one line of the diagnosis. Advice says what to do about it, unless it is OK.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Advice string `json:"advice"`
}

// Machine is what is examined.
type Machine struct {
	Version string // of the program
	// Environment is what the program was started with, as os.Environ gives it.
	Environment []string
	// Instances are those to connect to; without any, those of the stored sessions are.
	Instances []string
	Port      int // to which a browser would come back
	// Told is a failure in the words of whoever reads the findings.
	Told func(error) *failure.Error
}

// patience is how long a check may take. All run side by side.
const patience = 8 * time.Second

type check struct {
	name string
	run  func(context.Context) []Finding
}

// Examine runs all checks and returns what they found, in their order.
func (m Machine) Examine(ctx context.Context) []Finding {
	checks := []check{
		{"program", m.program}, {"modules", m.modules}, {"powershell", m.shells}, {"browser", m.browser}, {"port", m.port}, {"keyring", m.keyring},
		{"network", m.network}, {"environment", m.environment}, {"files", m.files},
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	results := make([]chan []Finding, len(checks))
	for i, c := range checks {
		results[i] = make(chan []Finding, 1)
		go func() { results[i] <- c.run(ctx) }()
	}
	var all []Finding
	for i, c := range checks {
		select {
		case found := <-results[i]:
			all = append(all, named(c.name, found)...)
		case <-time.After(time.Until(deadline(ctx)) + time.Second): // for those that end with ctx
			all = append(all, Finding{c.name, Warning, fmt.Sprintf("this check did not end within %d seconds", int(patience.Seconds())), "Run it again when the machine is less busy."})
		}
	}
	return all
}

func deadline(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}

func named(check string, found []Finding) []Finding {
	for i := range found {
		found[i].Check = check
		found[i].Found = failure.Printable(found[i].Found)
	}
	return found
}

func ok(format string, args ...any) Finding {
	return Finding{Status: OK, Found: fmt.Sprintf(format, args...)}
}

func warning(advice, format string, args ...any) Finding {
	return Finding{Status: Warning, Found: fmt.Sprintf(format, args...), Advice: advice}
}

// failed is a failure of the program as a finding.
func failed(f *failure.Error) Finding {
	return Finding{Status: Failure, Found: fmt.Sprintf("%s (%s)", f.Message, f.ID), Advice: f.Recommendation}
}
