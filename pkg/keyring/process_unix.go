//go:build unix

package keyring

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// detach keeps the terminal's Ctrl+C from the child.
func detach(child *exec.Cmd) { child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// ignoreSignals has the child, and the programs that it starts, survive what ends their parent.
func ignoreSignals() { signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT) }

// kill ends the child and the programs that it has started.
func kill(child *exec.Cmd) { _ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL) }

// checkPrivate fails for a file that others than this user may read or own.
func checkPrivate(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm()&0o077 != 0 || ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("it must belong to this user and to nobody else: chmod 600 %s", file.Name())
	}
	return nil
}
