package keyring

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/danieljoos/wincred"
)

// stayWithinLimit fails the test if an item of ours is larger than Windows takes, which Wine does not mind.
func stayWithinLimit(t *testing.T) {
	t.Helper()
	all, err := wincred.List()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keysOf(all, nil)
	if err != nil || len(keys) < 9 { // 20,000 bytes take 8 parts and an index
		t.Fatalf("%d items, %v", len(keys), err)
	}
	for _, one := range all {
		if len(one.CredentialBlob) > windowsLimit {
			t.Errorf("%s has %d bytes", one.TargetName, len(one.CredentialBlob))
		}
	}
}

func TestCredentialsThatCannotBeListed(t *testing.T) {
	_, err := keysOf(nil, noLogonSession)
	mustFail(t, asProblem(err), Unavailable, "1312")
	_, err = keysOf(nil, syscall.ERROR_ACCESS_DENIED)
	mustFail(t, asProblem(err), Failed)
}

// A virus scanner has the new file open for 300 ms, and lets nobody else have it.
func TestScannedFile(t *testing.T) {
	folder, err := os.MkdirTemp("", "scanned") // Wine can't remove what t.TempDir has made
	if err != nil {
		t.Fatal(err)
	}
	written, final := filepath.Join(folder, "new"), filepath.Join(folder, "final")
	for name, do := range map[string]func() error{"flush": func() error { return flush(written) }, "rename": func() error { return os.Rename(written, final) }} {
		write(t, written, "text", 0o600)
		path, err := syscall.UTF16PtrFromString(written)
		if err != nil {
			t.Fatal(err)
		}
		scanner, err := syscall.CreateFile(path, syscall.GENERIC_READ, 0, nil, syscall.OPEN_EXISTING, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := do(); err == nil {
			t.Fatalf("%s: the scanner is not in the way", name)
		}
		time.AfterFunc(300*time.Millisecond, func() { _ = syscall.CloseHandle(scanner) })
		if err := patiently(do); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = os.Remove(written)
	}
	_ = os.Remove(final)
	_ = os.Remove(folder)
}
