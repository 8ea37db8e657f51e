package keyring

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps the console's Ctrl+C from the child.
func detach(child *exec.Cmd) {
	child.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// kill ends the child.
func kill(child *exec.Cmd) { _ = child.Process.Kill() }

// checkPrivate leaves it to the access list of the user's profile, as a file's mode says nothing on Windows.
func checkPrivate(os.FileInfo) error { return nil }
