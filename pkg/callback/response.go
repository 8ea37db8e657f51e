package callback

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ninjaone-auth/pkg/session"
)

// Response is an authorization response whose state is the sign-in's own (RFC 6749 sections 4.1.2 and 4.1.2.1): it
// has either a code or an error. Or it says that the start address was opened by another program than the first one.
// The browser waits for its page until Show.
type Response struct {
	Intercepted bool

	Code        string
	Error       string
	Description string
	Issuer      string // RFC 9207; empty when the response has none

	page    chan Page
	written chan struct{}
}

// Show shows the page in the browser. It returns when the page has been completely written, and after two seconds
// at the latest. It is called once.
func (r *Response) Show(page Page) {
	r.page <- page
	<-r.written
}

// ServeHTTP takes the sign-in's authorization response and answers it with the page of Response.Show. Whatever else
// comes gets an error page and changes nothing, but for visitors of the start address.
func (l *Listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.connections.arrived(r)
	response, rejected := l.accept(r)
	if rejected == nil && response == nil {
		if l.start.lead(w, r) {
			return
		}
		response = newResponse()
		response.Intercepted = true
	}
	if rejected == nil && !l.claimed.CompareAndSwap(false, true) {
		rejected = &rejection{http.StatusConflict, "This address was already used", "A sign-in address works once, and this one has been used."}
	}
	if rejected != nil {
		write(w, rejected.status, Page{Heading: rejected.heading, Message: rejected.message, Advice: "You can close this tab."})
		return
	}
	defer close(response.written)
	l.responses <- response
	select {
	case page := <-response.page:
		write(w, page.status(), page)
	case <-l.closed:
	}
}

// rejection is why a request is not the authorization response.
type rejection struct {
	status           int
	heading, message string
}

// accept returns neither for the start address.
func (l *Listener) accept(r *http.Request) (*Response, *rejection) {
	switch {
	case r.Method != http.MethodGet:
		return nil, &rejection{http.StatusMethodNotAllowed, "Method not allowed", "Only a browser's GET is answered here."}
	case !l.ownHost(r.Host):
		return nil, &rejection{http.StatusMisdirectedRequest, "Wrong host", "This request was meant for another host."}
	case r.URL.Path == l.start.path:
		return nil, nil
	case !l.ownPath(r.URL):
		return nil, &rejection{http.StatusNotFound, "Nothing here", "There is nothing at this address."}
	}
	response, ok := l.parse(r.URL.RawQuery)
	if !ok {
		return nil, &rejection{http.StatusBadRequest, "Not a sign-in of this session", "This address does not belong to the sign-in that is under way, so it was not used."}
	}
	return response, nil
}

// ownHost keeps out pages of other sites whose names were rebound to this machine. A forwarder may pass on its own name.
func (l *Listener) ownHost(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if ip := net.ParseIP(name); ip != nil {
		name = ip.String()
	}
	return session.IsLoopback(name) || name != "" && strings.EqualFold(name, l.redirect.Hostname())
}

// ownPath takes any path behind a forwarder, which may rewrite it.
func (l *Listener) ownPath(u *url.URL) bool {
	own := l.redirect.Path
	if own == "" {
		own = "/"
	}
	return u.Path == own || !session.IsLoopback(l.redirect.Hostname())
}

func (l *Listener) parse(query string) (*Response, bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, false
	}
	own := l.redirect.Query()
	for name := range values {
		if len(values[name]) > 1 && !own.Has(name) {
			return nil, false
		}
	}
	code, failed := values.Get("code"), values.Get("error")
	if !same(values.Get("state"), l.state) || values.Has("code") == values.Has("error") || code+failed == "" ||
		values.Has("iss") && values.Get("iss") == "" {
		return nil, false
	}
	response := newResponse()
	response.Code, response.Error, response.Description, response.Issuer = code, failed, values.Get("error_description"), values.Get("iss")
	return response, true
}

func newResponse() *Response {
	return &Response{page: make(chan Page, 1), written: make(chan struct{})}
}

func same(given, own string) bool {
	return subtle.ConstantTimeCompare([]byte(given), []byte(own)) == 1
}

func deadline() time.Time { return time.Now().Add(pageTimeout) }
