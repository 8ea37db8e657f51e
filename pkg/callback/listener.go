// Package callback is the redirection endpoint of a browser sign-in: a listener on the loopback interface that takes
// the one authorization response of its own sign-in (RFC 8252 section 7.3), and the page that the browser shows then.
package callback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/session"
)

const (
	requestTimeout  = 5 * time.Second
	pageTimeout     = 2 * time.Second
	mostHeaderBytes = 16 << 10
)

// Listener waits for the authorization response of one sign-in.
type Listener struct {
	redirect    *url.URL
	port        int
	state       string
	start       *startAddress
	sockets     []net.Listener
	server      *http.Server
	connections connections
	claimed     atomic.Bool
	responses   chan *Response
	closed      chan struct{}
}

// Listen opens the port, from 1 to 65535, on 127.0.0.1 and on [::1] (where the machine has IPv6) and takes the
// response that was sent to redirectURI with the given state. Its start address leads to authorizationAddress.
// Everything else that arrives gets an error page. Errors: PortInUse, PortNotAllowed, PortUnavailable.
func Listen(ctx context.Context, redirectURI string, port int, state, authorizationAddress string) (*Listener, error) {
	redirect, err := url.Parse(redirectURI)
	if err != nil {
		return nil, err
	}
	sockets, err := open(ctx, port)
	if err != nil {
		return nil, unavailable(redirect, port, err)
	}
	l := &Listener{
		redirect: redirect, port: port, state: state, start: newStart(authorizationAddress), sockets: sockets,
		responses: make(chan *Response, 1), closed: make(chan struct{}),
	}
	l.server = &http.Server{
		Handler: l, ErrorLog: log.New(io.Discard, "", 0), MaxHeaderBytes: mostHeaderBytes,
		ReadHeaderTimeout: requestTimeout, ReadTimeout: requestTimeout, DisableGeneralOptionsHandler: true,
		ConnContext: mark, ConnState: l.connections.note,
	}
	l.server.SetKeepAlivesEnabled(false)
	for _, socket := range sockets {
		go l.server.Serve(socket)
	}
	return l, nil
}

// Responses delivers the authorization response, once.
func (l *Listener) Responses() <-chan *Response { return l.responses }

// Close frees the port at once and drops every connection; a page that is to be seen must have been shown before.
func (l *Listener) Close() {
	for _, socket := range l.sockets {
		socket.Close()
	}
	l.server.Close() // before the handlers go on, so that they answer nobody
	close(l.closed)
}

func open(ctx context.Context, port int) ([]net.Listener, error) {
	config := net.ListenConfig{Control: exclusive}
	v4, err := config.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	v6, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
	switch {
	case err == nil:
		return []net.Listener{v4, v6}, nil
	case noIPv6(err):
		return []net.Listener{v4}, nil
	}
	v4.Close() // somebody else's program could have [::1], where browsers look first
	return nil, err
}

// Windows' numbers, which the syscall package has on Windows only.
const (
	wsaeAccess         = syscall.Errno(10013)
	wsaeProtoNoSupport = syscall.Errno(10043)
	wsaeAFNoSupport    = syscall.Errno(10047)
	wsaeAddrInUse      = syscall.Errno(10048)
	wsaeAddrNotAvail   = syscall.Errno(10049)
)

func noIPv6(err error) bool {
	for _, reason := range []syscall.Errno{
		syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, wsaeAddrNotAvail, wsaeAFNoSupport, wsaeProtoNoSupport,
	} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaeAddrInUse)
}

func notAllowed(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, wsaeAccess)
}

func unavailable(redirect *url.URL, port int, cause error) *failure.Error {
	id := failure.PortUnavailable
	message := fmt.Sprintf("Could not listen on port %d of this machine's loopback interface.", port)
	recommendation := "Choose another port: " + otherPort(redirect, port)
	switch {
	case inUse(cause):
		id = failure.PortInUse
		message = fmt.Sprintf("Port %d on this machine is in use by another program, perhaps by another sign-in that is still waiting.", port)
		recommendation = "Finish or end the other sign-in (or whatever else uses the port), or choose another port: " + otherPort(redirect, port)
	case notAllowed(cause):
		id = failure.PortNotAllowed
		message = fmt.Sprintf("This user may not listen on port %d: the system keeps it for itself.", port)
	}
	return &failure.Error{
		ID: id, Target: net.JoinHostPort("localhost", strconv.Itoa(port)), Cause: cause,
		Message: message, Recommendation: recommendation,
	}
}

// otherPort says how to move the sign-in to a port that differs from the given one.
func otherPort(redirect *url.URL, port int) string {
	other := port + 1
	if port < 1024 || port == 65535 {
		other = session.DefaultPort
	}
	if !session.IsLoopback(redirect.Hostname()) {
		return fmt.Sprintf("run Connect-NinjaOne with -Port %d, and let what answers at %s forward to that port.", other, redirect.Host)
	}
	moved := *redirect
	moved.Host = net.JoinHostPort(redirect.Hostname(), strconv.Itoa(other))
	return fmt.Sprintf("add %s as a redirect URI of the application under Administration > Apps > API in NinjaOne, "+
		"and run Connect-NinjaOne with -Port %d -RedirectURL '%[1]s'.", moved.String(), other)
}
