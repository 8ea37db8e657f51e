package need

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
)

// FreePort returns a TCP port of the loopback interface that nothing listened on a moment ago. It is none of those that the
// system gives to whoever does not care, so that nobody else gets it before the test.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		free := true
		for _, address := range []string{"127.0.0.1", "[::1]"} {
			socket, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, port))
			if err == nil {
				socket.Close()
			}
			free = free && !errors.Is(err, syscall.EADDRINUSE) // without IPv6 there is nothing to be had there
		}
		if free {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}
