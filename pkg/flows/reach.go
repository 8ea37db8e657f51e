package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/session"
)

// Reached is what a request to an instance showed of the way there.
type Reached struct {
	Host   string
	Proxy  string    // its host, "" if there is none
	Issuer string    // of the host's certificate, by which an inspecting proxy is known
	Date   time.Time // by the server's clock (RFC 9110 section 6.6.1), zero if it does not say
}

// reachTimeout is what an answer may take: shorter than a sign-in's, as nothing depends on it.
const reachTimeout = 6 * time.Second

// Reach makes a request to an instance, with no secret in it. Failures: ConnectionFailed, RequestTimedOut, InvalidSetting.
func Reach(ctx context.Context, instance string) (Reached, error) {
	if err := checkProxy(); err != nil {
		return Reached{}, err
	}
	base, _ := session.BaseURL(instance)
	client := NewClient(Application{Instance: instance, BaseURL: base}, nil)
	ctx, cancel := context.WithTimeoutCause(ctx, reachTimeout, errNoConnection)
	defer cancel()
	a := &attempt{base: newTransport(), connecting: ctx}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, base+"/", nil)
	if err != nil {
		return Reached{}, err
	}
	response, err := a.client().Do(request)
	switch {
	case err != nil && ctx.Err() != nil:
		way := ""
		if proxy := client.proxyHost(); proxy != "" {
			way = " through the proxy " + proxy
		}
		return Reached{}, &failure.Error{
			ID: failure.ConnectionFailed, Target: base, Cause: err,
			Message:        fmt.Sprintf("Could not connect to %s: there was no answer%s within %d seconds.", base, way, int(reachTimeout.Seconds())),
			Recommendation: "Check the network, the firewall and the proxy settings (HTTPS_PROXY).",
		}
	case err != nil:
		return Reached{}, client.unanswered(err, errors.Is(err, os.ErrDeadlineExceeded), a)
	}
	reached := Reached{Host: client.host(), Proxy: client.proxyHost()}
	if tls := response.TLS; tls != nil && len(tls.PeerCertificates) > 0 {
		issuer := tls.PeerCertificates[0].Issuer
		reached.Issuer = issuer.CommonName
		if len(issuer.Organization) > 0 {
			reached.Issuer += " (" + issuer.Organization[0] + ")"
		}
	}
	reached.Date, _ = http.ParseTime(response.Header.Get("Date"))
	return reached, nil
}
