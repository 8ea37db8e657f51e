//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// isClosed tells whether a standard file was closed when the process started. Go's runtime has then opened /dev/null in its place,
// for reading and writing, as only programs do that drop what another says (Python's DEVNULL); a shell's >/dev/null is for writing.
func isClosed(file *os.File) bool {
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR {
		return err != nil
	}
	own, err := file.Stat()
	null, nullErr := os.Stat(os.DevNull)
	return err == nil && nullErr == nil && os.SameFile(own, null)
}
