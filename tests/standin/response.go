package standin

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// response is what a handler decides; serve logs and writes it.
type response struct {
	status      int
	reason      string // in place of the usual one
	contentType string
	retryAfter  string
	location    string
	body        []byte
	// drop closes the connection in place of a response.
	drop bool
}

func jsonResponse(status int, fields any) response {
	body, _ := json.Marshal(fields)
	return response{status: status, contentType: "application/json;charset=UTF-8", body: body}
}

// refusal is the {error, error_description, error_code} shape; an empty description leaves only error.
func refusal(status int, code, description string) response {
	fields := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
		Code        string `json:"error_code,omitempty"`
	}{Error: code, Description: description}
	if description != "" {
		fields.Code = strings.ToUpper(code)
	}
	return jsonResponse(status, fields)
}

// failed is the {resultCode, errorMessage, incidentId} shape; an empty message is left out.
func failed(status int, resultCode, message string) response {
	return jsonResponse(status, struct {
		ResultCode string `json:"resultCode"`
		Message    string `json:"errorMessage,omitempty"`
		IncidentID string `json:"incidentId"`
	}{resultCode, message, newUUID()})
}

// altered is a JSON response with other fields.
func (a response) altered(fields map[string]json.RawMessage) response {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(a.body, &all)
	for name, value := range fields {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	a.body, _ = json.Marshal(all)
	return a
}

func (a response) write(w http.ResponseWriter, r *http.Request) {
	if a.drop {
		drop(r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	header.Set("Cache-Control", "no-store")
	if a.retryAfter != "" {
		header.Set("Retry-After", a.retryAfter)
	}
	if a.location != "" {
		header.Set("Location", a.location)
	}
	if a.reason != "" {
		a.writeWithReason(w)
		return
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// writeWithReason does what net/http won't.
func (a response) writeWithReason(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n", a.status, a.reason)
	_ = w.Header().Write(conn)
	_, _ = conn.Write(append([]byte("\r\n"), a.body...))
}

type connectionKey struct{}

// drop resets the connection of a request.
func drop(r *http.Request) {
	conn, ok := r.Context().Value(connectionKey{}).(*tls.Conn)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
	panic(http.ErrAbortHandler)
}

// serve logs a request, looks for violations, and writes what handle decides.
func (s *Service) serve(handle func(r *http.Request, instance string) response) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		label, _, _ := strings.Cut(r.Host, ".")
		instance := instances[label]
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		formError := r.ParseForm()
		entry := s.journal.begin(r)
		s.lookForViolations(r)
		var a response
		switch {
		case instance == "" || r.TLS == nil || !strings.EqualFold(strings.TrimSuffix(r.Host, ":443"), r.TLS.ServerName):
			a = failed(http.StatusMisdirectedRequest, "MISDIRECTED", "The host is not the one that the connection was made to")
		case formError != nil:
			a = refusal(http.StatusBadRequest, "invalid_request", "The form is malformed")
		default:
			a = handle(r, instance)
		}
		s.journal.end(entry, a.status)
		a.write(w, r)
	}
}

func (s *Service) lookForViolations(r *http.Request) {
	for _, name := range []string{"client_secret", "refresh_token", "access_token", "code_verifier"} {
		if r.URL.Query().Has(name) {
			s.journal.violation(name + " in the address of " + r.Method + " " + r.URL.Path)
		}
	}
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Basic") {
		s.journal.violation("Basic authentication at " + r.Method + " " + r.URL.Path)
	}
}

func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/oauth/token", s.serve(s.tokenRequest))
	mux.HandleFunc("/ws/oauth/authorize", s.serve(s.authorize))
	mux.HandleFunc("/ws/oauth/consent", s.serve(s.consent))
	mux.HandleFunc("/v2/organizations", s.serve(s.organizations))
	mux.HandleFunc(elsewherePath, s.serve(s.elsewhere))
	mux.HandleFunc("/", s.serve(func(*http.Request, string) response {
		return failed(http.StatusNotFound, "NOT_FOUND", "No such resource")
	}))
	return mux
}
