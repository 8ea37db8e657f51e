package standin

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is one HTTP request as the log keeps it; the values of secrets are not in it.
type Request struct {
	Time     time.Time `json:"time"`
	Instance string    `json:"instance"`
	Method   string    `json:"method"`
	Path     string    `json:"path"`
	// Keys are the names of the form's and the address's parameters, sorted.
	Keys     []string `json:"keys"`
	Grant    string   `json:"grant"`
	ClientID string   `json:"clientId"`
	Scope    string   `json:"scope"`
	// Status is the answer's, 0 while there is none.
	Status int `json:"status"`
	// Outcome is "under way", then "issued", "refused: …", or the name of the fault that struck.
	Outcome string `json:"outcome"`
}

type journal struct {
	mu         sync.Mutex
	requests   []*Request
	violations []string
	secrets    []string
	known      map[string]bool
}

// begin logs a request whose form has been parsed, and returns its entry for end.
func (j *journal) begin(r *http.Request, instance string) *Request {
	entry := &Request{
		Time: time.Now(), Instance: instance, Method: r.Method, Path: r.URL.Path, Keys: []string{}, Outcome: "under way",
		Grant: r.Form.Get("grant_type"), ClientID: r.Form.Get("client_id"), Scope: r.Form.Get("scope"),
	}
	for key := range r.Form {
		entry.Keys = append(entry.Keys, key)
	}
	slices.Sort(entry.Keys)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests = append(j.requests, entry)
	return entry
}

func (j *journal) end(entry *Request, status int, outcome string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Status, entry.Outcome = status, outcome
}

func (j *journal) violation(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.violations = append(j.violations, text)
}

func (j *journal) secret(values ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.known == nil {
		j.known = map[string]bool{}
	}
	for _, value := range values {
		if value != "" && !j.known[value] {
			j.known[value] = true
			j.secrets = append(j.secrets, value)
		}
	}
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests, j.violations = nil, nil
}

// Requests returns the log, oldest first. A request is in it as soon as its form was read.
func (s *Service) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	requests := make([]Request, 0, len(s.journal.requests))
	for _, r := range s.journal.requests {
		requests = append(requests, *r)
	}
	return requests
}

// Violations returns what clients did that they must never do: a secret in an address, Basic authentication, a followed redirect.
func (s *Service) Violations() []string {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return append([]string{}, s.journal.violations...)
}

// Secrets returns every client secret, token and code that was ever registered or issued, and every PKCE verifier received.
func (s *Service) Secrets() []string {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return append([]string{}, s.journal.secrets...)
}
