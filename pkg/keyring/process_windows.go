package keyring

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach gives the child a console of its own that nobody sees: what is done to the user's, Ctrl+C, Ctrl+Break or closing its
// window, does not reach it.
func detach(child *exec.Cmd) {
	child.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW | syscall.CREATE_NEW_PROCESS_GROUP}
}

// ignoreSignals has the child survive logging off for as long as the system lets it. Windows ends a process for what is ignored
// with signal.Ignore, but not for what is caught.
func ignoreSignals() { signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM) }

// kill ends the child.
func kill(child *exec.Cmd) { _ = child.Process.Kill() }

// checkPrivate leaves it to the access list of the user's profile, as a file's mode says nothing on Windows.
func checkPrivate(os.FileInfo) error { return nil }
