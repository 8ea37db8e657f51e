package callback

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
)

// mostConnections is how many may wait for their request at once. One more drops the oldest, as a browser's has its request
// within milliseconds.
const mostConnections = 64

// connections are those whose request has not come yet, the oldest first.
type connections struct {
	mutex   sync.Mutex
	waiting []net.Conn
}

// note is http.Server.ConnState.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if c.waiting = append(c.waiting, conn); len(c.waiting) > mostConnections {
			c.waiting[0].Close()
			c.waiting = slices.Delete(c.waiting, 0, 1)
		}
	case http.StateClosed:
		c.remove(conn)
	}
}

func (c *connections) remove(conn net.Conn) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(other net.Conn) bool { return other == conn })
}

type connectionKey struct{}

// mark is http.Server.ConnContext.
func mark(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// arrived says that a connection's request has come.
func (c *connections) arrived(r *http.Request) {
	if conn, ok := r.Context().Value(connectionKey{}).(net.Conn); ok {
		c.remove(conn)
	}
}
