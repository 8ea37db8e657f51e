package flows

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
)

// noSink drops everything.
type noSink struct{}

func (noSink) Write(report.Stream, string) {}
func (noSink) Progress(report.Progress)    {}
func (noSink) Pending(time.Duration)       {}

// The ways to fail that need no proxy; the others are tested with the built program.
func TestNoWayToTheService(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	resolver := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	t.Cleanup(func() { net.DefaultResolver = resolver })
	t.Setenv("NO_PROXY", "*")

	for baseURL, reason := range map[string]string{
		"https://" + closed.Addr().String(): "the connection was refused",
		"https://eu.ninjarmm.invalid":       "its name can't be resolved (DNS)",
	} {
		client := NewClient(Application{Instance: "eu", BaseURL: baseURL, ClientID: "id", ClientSecret: "secret"}, noSink{})
		_, err := client.Refresh(t.Context(), "refresh", nil, nil)
		if !failure.Is(err, failure.ConnectionFailed) || !strings.Contains(err.Error(), baseURL+": "+reason) {
			t.Errorf("%s: %v", baseURL, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"0": 0, "7": 7 * time.Second, "99999999999": time.Hour, "Thu, 01 Jan 1970 00:00:00 GMT": 0,
		"": -1, "-1": -1, "soon": -1, "1.5": -1,
		time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat): 19 * time.Second,
	} {
		a := &attempt{response: &http.Response{Header: http.Header{"Retry-After": {value}}}}
		wait, told := a.retryAfter()
		if told != (want >= 0) || told && (wait < want || want <= longestRetryAfter && wait > want+time.Second) {
			t.Errorf("%q: %s, %t; want %s", value, wait, told, want)
		}
	}
}
