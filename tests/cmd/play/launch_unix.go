//go:build unix

package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// launch returns only if it fails. Go catches a signal that it was started to ignore only when asked to, and what is
// caught has its default action again after exec.
func launch(command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGQUIT)
	return syscall.Exec(path, command, os.Environ())
}
