package flows

import (
	"crypto/x509"
	"encoding/binary"
	"net/http"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/windows/registry"

	"ninjaone-auth/tests/need"
)

// Internet Options are the user's own, so the test runs only where a variable says that the machine is there for tests.
func TestInternetOptions(t *testing.T) {
	if os.Getenv("NINJAONE_AUTH_TEST_MACHINE") != "1" {
		need.Missing(t, "a throw-away machine", "set NINJAONE_AUTH_TEST_MACHINE=1 there")
	}
	for _, variable := range []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"} {
		t.Setenv(variable, "")
	}
	options, _, err := registry.CreateKey(registry.CURRENT_USER,
		`Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections`, registry.SET_VALUE)
	if err != nil {
		t.Fatal(err)
	}
	defer options.Close()
	const manual = 2
	settings := binary.LittleEndian.AppendUint32([]byte{0x46, 0, 0, 0, 1, 0, 0, 0}, manual)
	for _, text := range []string{"http=plain.example:80;https=proxy.example:3128", "*.oc.example;<local>", ""} {
		settings = append(binary.LittleEndian.AppendUint32(settings, uint32(len(text))), text...)
	}
	if err := options.SetBinaryValue("DefaultConnectionSettings", append(settings, make([]byte, 32)...)); err != nil {
		t.Fatal(err)
	}
	is := func(address, want string) {
		t.Helper()
		request, err := http.NewRequest("POST", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := proxyFor(request)
		if err != nil || (proxy == nil) != (want == "") || proxy != nil && proxy.String() != want {
			t.Errorf("%s: %v, %v; want %q", address, proxy, err, want)
		}
	}
	is("https://eu.ninjarmm.com/", "http://proxy.example:3128")
	is("https://a.oc.example/", "")
	t.Setenv("NO_PROXY", "ninjarmm.com")
	is("https://eu.ninjarmm.com/", "")
	t.Setenv("NO_PROXY", "")
	t.Setenv("HTTPS_PROXY", "http://environment.example:1")
	is("https://eu.ninjarmm.com/", "http://environment.example:1")
}

// Windows has no SSL_CERT_FILE.
func TestAdviceOnCertificates(t *testing.T) {
	reason, advice := NewClient(Application{BaseURL: "https://eu.ninjarmm.com"}, noSink{}).connectionProblem(x509.UnknownAuthorityError{}, &attempt{})
	if !strings.Contains(reason, "certificate") || !strings.Contains(advice, "root certificate") || strings.Contains(advice, "SSL_CERT_FILE") {
		t.Errorf("%s: %s", reason, advice)
	}
}
