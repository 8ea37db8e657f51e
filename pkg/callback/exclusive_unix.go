//go:build unix

package callback

import "syscall"

// exclusive has nothing to do, as a port that is listened on can't be had twice.
var exclusive func(network, address string, socket syscall.RawConn) error
