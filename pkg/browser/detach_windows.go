package browser

import (
	"os/exec"
	"syscall"
)

// detach gives the command a process group of its own, so that the console's Ctrl+C does not reach the browser.
func detach(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
