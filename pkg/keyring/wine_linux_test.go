package keyring

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ninjaone-auth/tests/need"
)

// The tests of Windows alone, in the build for Windows. WINDOWS_RUN is a command that runs Windows programs, in the folder that it is
// called in, on a Windows that is thrown away afterwards; Wine's Credential Manager has no limit of 2,560 bytes.
func TestCredentialManager(t *testing.T) {
	run := os.Getenv("WINDOWS_RUN")
	if run == "" {
		need.Missing(t, "a way to run Windows programs", "name the command in WINDOWS_RUN, with Wine installed")
	}
	folder := t.TempDir()
	build := exec.Command("go", "test", "-c", "-o", filepath.Join(folder, "keyring.test.exe"), ".")
	build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	write(t, filepath.Join(folder, "private"), "correct horse", 0o600)
	write(t, filepath.Join(folder, "shared"), "correct horse", 0o644)
	windows := exec.Command(run, "keyring.test.exe", "-test.v", "-test.run=^("+
		"TestSystemKeyring|TestCredentialsThatCannotBeListed|TestScannedFile|TestIgnoresSignals|TestAccessListOfThePassphraseFile)$")
	windows.Dir, windows.Env = folder, append(os.Environ(), "NINJAONE_AUTH_TEST_MACHINE=1")
	output, err := windows.CombinedOutput()
	if err != nil || strings.Count(string(output), "\n--- PASS: ") != 5 {
		t.Errorf("%v: %s", err, output)
	}
}
