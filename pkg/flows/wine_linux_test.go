package flows

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ninjaone-auth/tests/need"
)

// The tests of proxy_windows_test.go, in the build for Windows, by WINDOWS_RUN (pkg/keyring's TestCredentialManager says what it is).
func TestOnWindows(t *testing.T) {
	run := os.Getenv("WINDOWS_RUN")
	if run == "" {
		need.Missing(t, "a way to run Windows programs", "name the command in WINDOWS_RUN, with Wine installed")
	}
	folder := t.TempDir()
	build := exec.Command("go", "test", "-c", "-o", filepath.Join(folder, "flows.test.exe"), ".")
	build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	windows := exec.Command(run, "flows.test.exe", "-test.run=^(TestInternetOptions|TestAdviceOnCertificates)$", "-test.v")
	windows.Dir, windows.Env = folder, append(os.Environ(), "NINJAONE_AUTH_TEST_MACHINE=1")
	output, err := windows.CombinedOutput()
	if err != nil || strings.Count(string(output), "--- PASS") != 2 {
		t.Errorf("%v: %s", err, output)
	}
}
