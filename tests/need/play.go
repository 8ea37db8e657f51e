package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Play makes a program of this name that does what a script says, a step a line (tests/cmd/play), and returns its path. Its
// folder has a blank in its name.
func Play(t testing.TB, name string, script ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a folder", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if built := os.Getenv("PLAY_PATH"); built == "" || os.Link(built, path) != nil {
		if output, err := exec.Command("go", "build", "-o", path, "ninjaone-auth/tests/cmd/play").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	if err := os.WriteFile(path+".script", []byte(strings.Join(script, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
