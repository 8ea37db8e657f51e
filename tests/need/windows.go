package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// OnWindows runs tests of the package under test, in its build for Windows, in a folder, and fails unless all of them pass.
// WINDOWS_RUN is a command that runs Windows programs, in the folder that it is called in, on a Windows that is thrown away
// afterwards.
func OnWindows(t *testing.T, folder string, tests ...string) {
	t.Helper()
	run := os.Getenv("WINDOWS_RUN")
	if run == "" {
		Missing(t, "a way to run Windows programs", "name the command in WINDOWS_RUN, with Wine installed")
	}
	build := exec.Command("go", "test", "-c", "-o", filepath.Join(folder, "package.test.exe"), ".")
	build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	windows := exec.Command(run, "package.test.exe", "-test.v", "-test.run=^("+strings.Join(tests, "|")+")$")
	windows.Dir, windows.Env = folder, append(os.Environ(), "NINJAONE_AUTH_TEST_MACHINE=1")
	output, err := windows.CombinedOutput()
	if err != nil || strings.Count("\n"+string(output), "\n--- PASS: ") != len(tests) {
		t.Errorf("%v: %s", err, output)
	}
}
