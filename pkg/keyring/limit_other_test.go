//go:build !windows

package keyring

import "testing"

// stayWithinLimit is for Windows.
func stayWithinLimit(t *testing.T) { t.Fatal("no limit here") }
