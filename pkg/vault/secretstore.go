package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"ninjaone-auth/pkg/failure"
)

// secretStoreModule is the extension whose vaults are, for one account, one store. Each process has a copy of it, which may
// be old, and writes all of its copy when it writes one secret.
const secretStoreModule = "Microsoft.PowerShell.SecretStore"

// loadTime is how long the processes take to load the store anew after storeconfig has moved; 0.17 s were measured.
const loadTime = 300 * time.Millisecond

// storeConfig is the file whose time of last change makes every process load the store anew.
func storeConfig() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("LOCALAPPDATA"), "Microsoft", "PowerShell", "secretmanagement", "localstore", "storeconfig")
	}
	return filepath.Join(os.Getenv("HOME"), ".secretmanagement", "localstore", "storeconfig")
}

// moveStoreConfig makes every process load the store anew, in loadTime. Where there is no such file, there is no store yet.
func moveStoreConfig() error {
	now := time.Now()
	if err := os.Chtimes(storeConfig(), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &failure.Error{
			ID: failure.VaultFailed, Target: storeConfig(), Cause: err,
			Message:        fmt.Sprintf("SecretStore could not be made to load what other processes have stored: %v.", err),
			Recommendation: "Make that file, which is SecretStore's, writable for this user.",
		}
	}
	return nil
}

// awaitLoaded waits until every process has loaded what was there when storeconfig moved last.
func awaitLoaded(ctx context.Context) error {
	config, err := os.Stat(storeConfig())
	if err != nil {
		return nil
	}
	return pause(ctx, min(loadTime, time.Until(config.ModTime().Add(loadTime))))
}
