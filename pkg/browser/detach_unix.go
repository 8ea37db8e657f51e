//go:build unix

package browser

import (
	"os/exec"
	"syscall"
)

// detach gives the command a session of its own, so that the terminal's signals do not reach the browser.
func detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
