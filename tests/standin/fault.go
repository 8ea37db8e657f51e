package standin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Kind is what a fault does.
type Kind string

// The kinds of fault. All but RefuseConnect strike token requests.
const (
	// Answer answers with Status, RetryAfter, ContentType and Body.
	Answer Kind = "answer"
	// Drop resets the connection.
	Drop Kind = "drop"
	// Hang answers nothing for Delay, or until the client leaves when that is 0, then resets the connection.
	Hang Kind = "hang"
	// Slow processes the request at once and sends the true answer after Delay.
	Slow Kind = "slow"
	// Garbage answers 200 with bytes that are neither text nor JSON.
	Garbage Kind = "garbage"
	// HTML answers 200 with a web page.
	HTML Kind = "html"
	// NoAccessToken answers 200 with a JSON object that has no access_token.
	NoAccessToken Kind = "noAccessToken"
	// Huge answers 200 with a well-formed token answer of 2 MiB.
	Huge Kind = "huge"
	// Redirect answers 302, or Status, to another host; to Location when given. Whoever follows the former is a violation.
	Redirect Kind = "redirect"
	// LongDescription answers 400 with an error_description of 10,000 characters, control characters among them.
	LongDescription Kind = "longDescription"
	// RefuseConnect makes the proxy answer 502 to a CONNECT: the connection is never made.
	RefuseConnect Kind = "refuseConnect"
)

// Fault is a failure to be had. Faults are used up in the order in which they were added.
type Fault struct {
	Kind Kind `json:"kind"`
	// Times is how many requests it strikes; 0 is all, until ClearFaults.
	Times int `json:"times"`
	// Grant limits it to one grant_type.
	Grant string `json:"grant"`
	// Process makes the service process the request first, tokens rotated, and then lose that answer to the fault.
	Process bool `json:"process"`
	// Delay is waited before the answer.
	Delay time.Duration `json:"-"`
	// Status, RetryAfter, ContentType, Body and Location are the answer's. Status is 500 when 0, ContentType JSON when empty.
	Status      int    `json:"status"`
	RetryAfter  string `json:"retryAfter"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
	Location    string `json:"location"`
}

const redirectedPath = "/redirected"

var kinds = []Kind{Answer, Drop, Hang, Slow, Garbage, HTML, NoAccessToken, Huge, Redirect, LongDescription, RefuseConnect}

type faults struct {
	mu     sync.Mutex
	queued []*Fault
}

// Fail adds a fault. It returns an error for an unknown kind.
func (s *Service) Fail(fault Fault) error {
	for _, kind := range kinds {
		if fault.Kind == kind {
			s.faults.mu.Lock()
			defer s.faults.mu.Unlock()
			s.faults.queued = append(s.faults.queued, &fault)
			return nil
		}
	}
	return fmt.Errorf("no kind of fault %q", fault.Kind)
}

// ClearFaults removes the faults that are left.
func (s *Service) ClearFaults() { s.faults.clear() }

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queued = nil
}

// takeToken uses up the first fault that strikes a token request with the grant.
func (f *faults) takeToken(grant string) (Fault, bool) {
	return f.takeFirst(func(fault *Fault) bool {
		return fault.Kind != RefuseConnect && (fault.Grant == "" || fault.Grant == grant)
	})
}

// takeConnect uses up the first fault that strikes a CONNECT.
func (f *faults) takeConnect() bool {
	_, due := f.takeFirst(func(fault *Fault) bool { return fault.Kind == RefuseConnect })
	return due
}

func (f *faults) takeFirst(strikes func(*Fault) bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.queued {
		if !strikes(fault) {
			continue
		}
		taken := *fault
		if fault.Times == 1 {
			f.queued = append(f.queued[:i:i], f.queued[i+1:]...)
		} else if fault.Times > 1 {
			fault.Times--
		}
		return taken, true
	}
	return Fault{}, false
}

// strike answers a token request with a fault.
func (s *Service) strike(fault Fault, r *http.Request, instance string) answer {
	var processed answer
	if fault.Process || fault.Kind == Slow {
		processed = s.token(r, instance)
	}
	s.wait(r.Context(), fault)
	if fault.Kind == Slow {
		return processed
	}
	a := s.faultAnswer(fault, instance)
	a.outcome = "fault: " + string(fault.Kind)
	return a
}

func (s *Service) wait(ctx context.Context, fault Fault) {
	switch {
	case fault.Delay > 0:
		ctx, cancel := context.WithTimeout(ctx, fault.Delay)
		defer cancel()
		s.leave(ctx)
	case fault.Kind == Hang:
		s.leave(ctx)
	}
}

func (s *Service) faultAnswer(fault Fault, instance string) answer {
	const asJSON, asHTML = "application/json;charset=UTF-8", "text/html;charset=UTF-8"
	switch fault.Kind {
	case Garbage:
		return answer{status: http.StatusOK, contentType: asJSON, body: bytes.Repeat([]byte{0x00, 0xff, 0xfe, 0x1b, '{', '['}, 100)}
	case HTML:
		return answer{status: http.StatusOK, contentType: asHTML, body: []byte("<!DOCTYPE html><title>Sign in</title><p>Please sign in.</p>")}
	case NoAccessToken:
		return answer{status: http.StatusOK, contentType: asJSON, body: []byte(`{"token_type":"Bearer","expires_in":3600}`)}
	case Huge:
		token := newToken(64, 0)
		s.journal.secret(token)
		return jsonAnswer(http.StatusOK, "", map[string]any{
			"access_token": token, "token_type": "Bearer", "expires_in": 3600, "padding": strings.Repeat("x", 2<<20),
		})
	case Redirect:
		return answer{status: orElse(fault.Status, http.StatusFound), contentType: asHTML, location: fault.target(instance)}
	case LongDescription:
		return refusal(http.StatusBadRequest, "invalid_request", "Bad\r\nthing\x1b[31m\x00\u009b2J\u202e"+strings.Repeat(" and more", 1110))
	case Answer:
		return answer{
			status: orElse(fault.Status, http.StatusInternalServerError), contentType: orElse(fault.ContentType, asJSON),
			retryAfter: fault.RetryAfter, body: []byte(fault.Body),
		}
	}
	return answer{drop: true}
}

// target is where a Redirect leads: another instance's host unless it says where.
func (f Fault) target(instance string) string {
	other := "fed"
	if instance == other {
		other = "oc"
	}
	return orElse(f.Location, "https://"+other+domain+redirectedPath)
}

func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (s *Service) redirected(*http.Request, string) answer {
	s.journal.violation("a redirect of the token endpoint was followed to another host")
	return failed(http.StatusNotFound, "NOT_FOUND", "No such resource")
}
