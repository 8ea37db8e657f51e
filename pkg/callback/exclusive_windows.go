package callback

import "syscall"

// exclusive keeps other users' programs from sharing the port, which Windows allows unless told not to (SO_EXCLUSIVEADDRUSE).
func exclusive(_, _ string, socket syscall.RawConn) (err error) {
	failed := socket.Control(func(handle uintptr) {
		err = syscall.SetsockoptInt(syscall.Handle(handle), syscall.SOL_SOCKET, ^syscall.SO_REUSEADDR, 1)
	})
	if failed != nil {
		return failed
	}
	return err
}
