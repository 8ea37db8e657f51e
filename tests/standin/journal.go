package standin

import (
	"net/http"
	"slices"
	"sync"
)

// Request is one HTTP request as the log keeps it; the values of secrets are not in it.
type Request struct {
	Path     string `json:"path"`
	Grant    string `json:"grant"`
	ClientID string `json:"clientId"`
	Scope    string `json:"scope"`
	// Status is the response's, 0 while there is none.
	Status int `json:"status"`
}

type journal struct {
	mu         sync.Mutex
	requests   []*Request
	violations []string
	secrets    []string
}

// begin logs a request whose form has been parsed, and returns its entry for end.
func (j *journal) begin(r *http.Request) *Request {
	entry := &Request{
		Path: r.URL.Path, Grant: r.Form.Get("grant_type"), ClientID: r.Form.Get("client_id"), Scope: r.Form.Get("scope"),
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests = append(j.requests, entry)
	return entry
}

func (j *journal) end(entry *Request, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Status = status
}

func (j *journal) violation(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.violations = append(j.violations, text)
}

func (j *journal) secret(values ...string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, value := range values {
		if value != "" && !slices.Contains(j.secrets, value) {
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
