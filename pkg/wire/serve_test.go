package wire

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// What a caller says of itself, and what it therefore gets before the answer. Unknown facts are for later versions.
func TestServe(t *testing.T) {
	const verbose, warning, progress, pending = `{"type":"write","stream":"verbose"`, `{"type":"write","stream":"warning"`, `{"type":"progress"`, `{"type":"pending","seconds":35}`
	for said, test := range map[string]struct {
		caller connect.Caller
		vaults bool
		gets   []string
	}{
		`{}`:                               {connect.Caller{SignsIn: true, KeepsTokens: true}, false, nil},
		`{"caller":{"interactive":false}}`: {connect.Caller{KeepsTokens: true}, false, nil},
		`{"caller":{"vaults":true}}`:       {connect.Caller{SignsIn: true, KeepsTokens: true}, true, nil},
		`{"caller":{"pending":true}}`:      {connect.Caller{SignsIn: true, KeepsTokens: true}, false, []string{pending}},
		`{"caller":{"streams":["debug"]}}`: {connect.Caller{SignsIn: true, SeesMessages: true, KeepsTokens: true}, false, []string{warning, progress}},
		`{"caller":{"streams":["verbose","later"],"interactive":false,"later":[1]}}`: {
			connect.Caller{SeesMessages: true, KeepsTokens: true}, false, []string{verbose, warning}},
	} {
		var got connect.Caller
		var out bytes.Buffer
		succeeded := Serve(t.Context(), strings.NewReader(said+"\n"), &out, func(_ context.Context, _ []paramsets.Argument, _ *session.Session, caller connect.Caller) (string, session.Session, error) {
			got = caller
			report.Verbosef(caller.Sink, "a verbose message")
			report.Warningf(caller.Sink, "a warning")
			caller.Sink.Progress(report.Progress{})
			caller.Sink.Pending(35 * time.Second)
			return "Set", session.Session{}, nil
		})
		vaults := got.Vaults != nil
		got.Sink, got.Vaults = nil, nil
		if !succeeded || got != test.caller || vaults != test.vaults {
			t.Errorf("%s: %t, %+v, vaults %t", said, succeeded, got, vaults)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(test.gets)+1 || strings.Contains(lines[len(lines)-1], `"warnings":["a warning"]`) == test.caller.SeesMessages {
			t.Fatalf("%s: %q", said, lines)
		}
		for i, start := range test.gets {
			if !strings.HasPrefix(lines[i], start) {
				t.Errorf("%s: line %d is %s", said, i, lines[i])
			}
		}
	}
}

func TestServeTellsAFailure(t *testing.T) {
	var out bytes.Buffer
	succeeded := Serve(t.Context(), strings.NewReader("{}"), &out, func(context.Context, []paramsets.Argument, *session.Session, connect.Caller) (string, session.Session, error) {
		return "", session.Session{}, errors.New("never shown")
	})
	if succeeded || !strings.HasPrefix(out.String(), `{"type":"error","id":"InternalError","category":"NotSpecified","message":"ninjaone-auth hit an unexpected error (*errors.errorString).`) {
		t.Errorf("%t, %s", succeeded, out.String())
	}
}
