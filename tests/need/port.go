package need

import (
	"net"
	"testing"
)

// FreePort returns a TCP port of the loopback interface that nothing listened on a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	socket, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	return socket.Addr().(*net.TCPAddr).Port
}
