package callback

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/tests/need"
)

// A [::1] that can't be had for another reason than that there is no IPv6 is not left to others: here, the process may have no
// more sockets.
func TestNoSocketForIPv6(t *testing.T) {
	port := need.FreePort(t)
	if socket, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		need.Missing(t, "IPv6", "enable it for the loopback interface")
	} else {
		socket.Close()
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	next := null.Fd()
	null.Close()
	fewer := limit
	fewer.Cur = uint64(next) + 1
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &fewer); err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(t.Context(), localhost(port), port, state, elsewhere)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		listener.Close()
	}
	if !failure.Is(err, failure.PortUnavailable) || !strings.Contains(failure.From(err).Cause.Error(), "[::1]:"+strconv.Itoa(port)) {
		t.Fatalf("%v", err)
	}
	mustBeFree(t, port)
}

// On a machine without IPv6, 127.0.0.1 alone is all that there is.
func TestNoIPv6(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, wsaeAFNoSupport} {
		if !noIPv6(os.NewSyscallError("bind", errno)) {
			t.Error(errno)
		}
	}
}
