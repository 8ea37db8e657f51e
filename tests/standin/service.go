// Package standin plays NinjaOne for tests, the demo and benchmarks: the OAuth service of every instance and one API call.
//
// It is as strict as the service (module contract, "NinjaOne's OAuth service"; RFC 6749, 7636, 9207) and speaks real TLS with
// a certificate authority of its own. Clients reach it only through its HTTP proxy, so the program under test needs no
// setting but HTTPS_PROXY and SSL_CERT_FILE; [Service.Env] has both.
//
//	service, err := standin.Start(t.TempDir())
//	app, err := service.Register(standin.App{})
//	command.Env = append(os.Environ(), service.Env()...)
//
// Everything it registers and issues is remembered ([Service.Secrets]), as is every request ([Service.Requests]) and whatever
// a client must never do ([Service.Violations]). [Service.Control] offers the same over HTTP.
package standin

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const domain = ".ninjarmm.com"

// instances maps the first label of a host name to its instance (module contract, "Instances").
var instances = map[string]string{"eu": "eu", "oc": "oc", "app": "us", "ca": "ca", "us2": "us2", "fed": "fed"}

// Service is a running stand-in. Its methods may be called from any goroutine.
type Service struct {
	certificates *certificates
	tunnels      *tunnels
	proxy, site  *http.Server
	proxyAddress string
	closed       chan struct{}
	close        sync.Once

	journal journal
	faults  faults

	mu      sync.Mutex
	state   state
	now     func() time.Time
	counted Counters
}

// Start starts a stand-in on a free port of 127.0.0.1 and writes its certificate authority to a file in dir.
func Start(dir string) (*Service, error) {
	certificates, err := newCertificates(dir)
	if err != nil {
		return nil, fmt.Errorf("making certificates: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s := &Service{
		certificates: certificates,
		tunnels:      newTunnels(listener.Addr()),
		proxyAddress: "http://" + listener.Addr().String(),
		closed:       make(chan struct{}),
		faults:       faults{cleared: make(chan struct{})},
		state:        newState(),
		now:          time.Now,
	}
	quiet := log.New(io.Discard, "", 0)
	s.proxy = &http.Server{Handler: http.HandlerFunc(s.connect), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet}
	s.site = &http.Server{
		Handler: s.routes(), TLSConfig: certificates.server(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, conn)
		},
	}
	go func() { _ = s.proxy.Serve(listener) }()
	go func() { _ = s.site.ServeTLS(s.tunnels, "", "") }()
	return s, nil
}

// Close stops the service and drops every connection. The certificate file stays.
func (s *Service) Close() {
	s.close.Do(func() {
		close(s.closed)
		_ = s.proxy.Close()
		_ = s.site.Close()
	})
}

// ProxyURL is the address of the HTTP proxy, the only way to the service.
func (s *Service) ProxyURL() string { return s.proxyAddress }

// CertFile is the path of the certificate authority, PEM.
func (s *Service) CertFile() string { return s.certificates.file }

// Env is what a client's environment needs, as NAME=value. CURL_CA_BUNDLE is for a curl that plays the browser where it is set.
func (s *Service) Env() []string {
	return []string{
		"HTTPS_PROXY=" + s.proxyAddress, "https_proxy=" + s.proxyAddress, "NO_PROXY=", "no_proxy=",
		"SSL_CERT_FILE=" + s.CertFile(), "CURL_CA_BUNDLE=" + s.CertFile(),
	}
}

// Client returns an HTTP client that reaches the service, and loopback addresses directly, as a browser on this machine does.
func (s *Service) Client() *http.Client {
	proxy, _ := url.Parse(s.proxyAddress)
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:   s.certificates.client(),
			ForceAttemptHTTP2: true,
			Proxy: func(r *http.Request) (*url.URL, error) {
				if strings.HasSuffix(r.URL.Hostname(), domain) {
					return proxy, nil
				}
				return nil, nil
			},
		},
	}
}

// Reset forgets applications, tokens, faults, the log and the counters. Secrets stay known.
func (s *Service) Reset() {
	s.ClearFaults()
	s.journal.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = newState()
	s.counted = Counters{}
}

// Counters say how much the service has done since it started or was reset.
type Counters struct {
	// Connections is the number of tunnels that the proxy has opened.
	Connections int
	// Refreshes is the number of refresh grants processed, whether the response arrived or not.
	Refreshes int
}

// Counters returns the present counts.
func (s *Service) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted
}
