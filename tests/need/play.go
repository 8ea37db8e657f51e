package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// Started waits until a program of Play has noted how it was started, which it should do before its folder is removed.
func Started(t testing.TB, path string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path + ".environment"); err == nil {
			return
		}
	}
	t.Errorf("%s was not started", path)
}
