package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Kind is what a fault does.
type Kind string

// The kinds of fault. All but RefuseConnect strike token requests.
const (
	// Late sends the true response, which Hold makes late.
	Late Kind = "late"
	// Alter sends the true response with Fields in place of its own.
	Alter Kind = "alter"
	// Respond responds with Status, Reason, RetryAfter, ContentType, Location and Body.
	Respond Kind = "respond"
	// Drop resets the connection.
	Drop Kind = "drop"
	// LongDescription responds with 400 with an error_description of 10,000 characters, control characters among them.
	LongDescription Kind = "longDescription"
	// RefuseConnect makes the proxy respond with 502 to a CONNECT: the connection is never made.
	RefuseConnect Kind = "refuseConnect"
)

var kinds = []Kind{Late, Alter, Respond, Drop, LongDescription, RefuseConnect}

// Fault is a failure to be had. Faults are used up in the order in which they were added.
type Fault struct {
	Kind Kind `json:"kind"`
	// Times is how many requests it strikes; 0 is all, until ClearFaults.
	Times int `json:"times"`
	// Process makes the service process the request first, tokens rotated, and then lose that response to the fault.
	Process bool `json:"process"`
	// Hold keeps the response back until ClearFaults, or until the client leaves.
	Hold bool `json:"hold"`
	// Status, Reason, RetryAfter, ContentType, Location and Body are the response's. Status is 500 when 0, Reason the usual and
	// ContentType JSON when empty.
	Status      int    `json:"status"`
	Reason      string `json:"reason"`
	RetryAfter  string `json:"retryAfter"`
	ContentType string `json:"contentType"`
	Location    string `json:"location"`
	Body        string `json:"body"`
	// Fields are an altered response's, by name; one without a value is left out.
	Fields map[string]json.RawMessage `json:"fields"`

	cleared chan struct{}
}

type faults struct {
	mu      sync.Mutex
	queued  []*Fault
	cleared chan struct{} // closed by the next ClearFaults
}

// Fail adds a fault. It returns an error for an unknown kind.
func (s *Service) Fail(fault Fault) error {
	if !slices.Contains(kinds, fault.Kind) {
		return fmt.Errorf("no kind of fault %q", fault.Kind)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	fault.cleared = s.faults.cleared
	s.faults.queued = append(s.faults.queued, &fault)
	return nil
}

// ClearFaults removes the faults that are left and sends what they hold back.
func (s *Service) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.queued = nil
	close(s.faults.cleared)
	s.faults.cleared = make(chan struct{})
}

// take uses up the first fault that strikes a token request, or a CONNECT.
func (f *faults) take(connect bool) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.queued, func(fault *Fault) bool { return connect == (fault.Kind == RefuseConnect) })
	if i < 0 {
		return Fault{}, false
	}
	fault := f.queued[i]
	taken := *fault
	if fault.Times == 1 {
		f.queued = slices.Delete(f.queued, i, i+1)
	}
	fault.Times = max(0, fault.Times-1)
	return taken, true
}

// strike responds to a token request with a fault.
func (s *Service) strike(fault Fault, r *http.Request, instance string) response {
	var processed response
	if fault.Process || fault.Kind == Late || fault.Kind == Alter {
		processed = s.token(r, instance)
	}
	if fault.Hold {
		select {
		case <-fault.cleared:
		case <-r.Context().Done():
		case <-s.closed:
			return response{drop: true}
		}
	}
	switch fault.Kind {
	case Late:
		return processed
	case Alter:
		return processed.altered(fault.Fields)
	case LongDescription:
		return refusal(http.StatusBadRequest, "invalid_request", "Bad\r\nthing\x1b[31m\x00\u009b2J\u202e"+strings.Repeat(" and more", 1110))
	case Respond:
		return response{
			status: cmp.Or(fault.Status, http.StatusInternalServerError), reason: fault.Reason, retryAfter: fault.RetryAfter, location: fault.Location,
			contentType: cmp.Or(fault.ContentType, "application/json;charset=UTF-8"), body: []byte(fault.Body),
		}
	}
	return response{drop: true}
}

// Elsewhere is where a redirect of the token endpoint leads that nobody may follow: whoever does is a violation.
const Elsewhere = "https://fed" + domain + elsewherePath

const elsewherePath = "/elsewhere"

func (s *Service) elsewhere(*http.Request, string) response {
	s.journal.violation("a redirect of the token endpoint was followed to another host")
	return failed(http.StatusNotFound, "NOT_FOUND", "No such resource")
}
