package main

import (
	"os"
	"os/exec"
)

// launch returns only if it fails. Windows hands no ignored signals on.
func launch(command []string) error {
	child := exec.Command(command[0], command[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := child.Run(); err != nil && child.ProcessState == nil {
		return err
	}
	os.Exit(child.ProcessState.ExitCode())
	return nil
}
