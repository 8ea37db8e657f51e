package standin

import (
	"net"
	"net/http"
	"strings"
)

// tunnels is the listener of the TLS site: its connections are those that the proxy has accepted a CONNECT on.
type tunnels struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
}

func newTunnels(address net.Addr) *tunnels {
	return &tunnels{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.conns:
		return conn, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by the site's server.
func (t *tunnels) Close() error {
	close(t.closed)
	return nil
}

func (t *tunnels) Addr() net.Addr { return t.address }

// connect serves the proxy: CONNECT to an instance's port 443, and nothing else.
func (s *Service) connect(w http.ResponseWriter, r *http.Request) {
	label, inDomain := strings.CutSuffix(r.Host, domain+":443")
	_, known := instances[label]
	switch {
	case r.Method != http.MethodConnect:
		http.Error(w, "this proxy takes CONNECT only", http.StatusMethodNotAllowed)
		return
	case !inDomain || !known:
		http.Error(w, "this proxy leads to NinjaOne's instances only", http.StatusForbidden)
		return
	}
	if _, due := s.faults.take(true); due {
		http.Error(w, "refused by a fault", http.StatusBadGateway)
		return
	}
	s.mu.Lock()
	s.counted.Connections++
	s.mu.Unlock()
	s.open(w)
}

// open accepts the CONNECT and hands its connection to the TLS site.
func (s *Service) open(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, err = conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	if err != nil || buffered.Reader.Buffered() > 0 { // a client may not speak before it is told to
		_ = conn.Close()
		return
	}
	select {
	case s.tunnels.conns <- conn:
	case <-s.tunnels.closed:
		_ = conn.Close()
	}
}
