// Package need says what a test needs of the machine. What is missing is never passed over in silence: the test is
// skipped by name, `make test` lists it at its end, and with REQUIRE_ALL=1 it fails.
package need

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Command returns the path of a program that the test runs; install says how to get it.
func Command(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name, install)
	}
	return path
}

// Missing ends a test that cannot run here, because of what; install says how to get it.
func Missing(t testing.TB, what, install string) {
	t.Helper()
	line := fmt.Sprintf("%s: needs %s (%s)", t.Name(), what, install)
	if os.Getenv("REQUIRE_ALL") == "1" {
		t.Fatal(line)
	}
	if list := os.Getenv("NOT_RUN_LIST"); list != "" {
		file, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := fmt.Fprintln(file, line); err != nil {
			t.Fatal(err)
		}
	}
	t.Skip(line)
}
