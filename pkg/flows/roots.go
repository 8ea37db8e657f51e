package flows

import (
	"crypto/x509"
	"os"
	"runtime"
)

// namedRoots returns the certificates in the file that SSL_CERT_FILE names, nil where crypto/x509 does not take them.
//
// Besides that file crypto/x509 reads hundreds in the system's certificate directories, which takes as long as the rest
// of a sign-in. Whoever names a file means it, so it is tried alone first; newTransport(nil) trusts all of the roots.
func namedRoots() *x509.CertPool {
	path := os.Getenv("SSL_CERT_FILE")
	if path == "" || runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil
	}
	return roots
}
