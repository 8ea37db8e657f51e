package flows

import (
	"testing"

	"ninjaone-auth/tests/need"
)

// The tests of proxy_windows_test.go.
func TestOnWindows(t *testing.T) {
	need.OnWindows(t, t.TempDir(), "TestInternetOptions", "TestAdviceOnCertificates")
}
