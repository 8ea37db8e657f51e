package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
)

func FuzzDecodeRequest(f *testing.F) {
	for _, line := range []string{
		`{"version":1,"parameters":{"Instance":"eu","ClientId":"id","ClientSecret":"s","UseClientAuth":true}}`,
		`{"parameters":{"Port":"9090","Scopes":["a","b c"],"ShowTokens":null,"UseWebAuth":{"IsPresent":true}}}`,
		`{"session":{"connection":{"Instance":"eu","ParseDateTimes":{"IsPresent":false},"VaultName":null},"authentication":{"Expires":"1.2.2026"}}}`,
		`{"session":{"connection":{"Instance":"eu"},"authentication":{"Expires":"2026-11-24T08:00:00.123+01:00"}}}`,
		`{"caller":{"streams":["verbose","debug"],"vaults":true,"interactive":false}}`,
		`{"version":2}`, `{"version":"1"}`, `{"version":1e0}`, `{"parameters":{"a":1,"A":2,"":3}}`, `{"parameters":null,"session":null,"caller":null}`,
		`[]`, `null`, `17`, `{`, "", " \t", "\ufeff{}", "\xff\xfe{\x00}\x00", `{"session":{"connection":[]}}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		request, err := decodeRequest(line)
		if err != nil {
			var failed *failure.Error
			if !errors.As(err, &failed) || failed.ID == (failure.ID{}) || failed.Message == "" || failed.Recommendation == "" || failed.Target == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, a := range request.parameters {
			if !json.Valid(a.Value) {
				t.Errorf("%q: %q", a.Name, a.Value)
			}
		}
		if request.session == nil {
			return
		}
		// What was read is written, and read again as the same: a renewal hands it back.
		again, err := json.Marshal(request.session)
		if err != nil {
			t.Fatal(err)
		}
		present, err := decodeSession(again)
		if err != nil {
			t.Fatal(err)
		}
		if onceMore, err := json.Marshal(present); err != nil || !bytes.Equal(onceMore, again) {
			t.Errorf("%s, then %s (%v)", again, onceMore, err)
		}
	})
}

func FuzzASCII(f *testing.F) {
	for _, text := range []string{"", "plain", "schlüssel 𝄞", "\u2028\x7f\"\\<>", "\U0010ffff\ue000"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		plain := ascii(bytes.Clone(line))
		if json.Unmarshal(line, &want) != nil || json.Unmarshal(plain, &got) != nil || got != want {
			t.Errorf("%q became %q", want, plain)
		}
		if bytes.ContainsFunc(plain, func(r rune) bool { return r > 0x7f || r < ' ' }) {
			t.Errorf("not ASCII: %q", plain)
		}
	})
}

func TestExpires(t *testing.T) {
	for written, want := range map[string]time.Time{
		`"2026-11-24T09:00:00.1234567+01:00"`: time.Date(2026, 11, 24, 8, 0, 0, 123456700, time.UTC),
		`"2026-11-24T08:00:00Z"`:              time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		`"11/24/2026 08:00:00"`:               {},
		`"2026-11-24T08:00:00"`:               {}, // no zone
		`null`:                                {},
		`{"DateTime":"Tuesday"}`:              {},
	} {
		s, err := decodeSession(json.RawMessage(`{"connection":{"Instance":"eu"},"authentication":{"Access":"a","Expires":` + written + `}}`))
		if err != nil || !s.Authentication.Expires.Equal(want) || s.Authentication.Access != "a" {
			t.Errorf("%s: %+v (%v)", written, s, err)
		}
	}
}

func TestReadLine(t *testing.T) {
	longest := strings.Repeat("x", longestLine)
	for input, want := range map[string]string{
		"a\nb\n": "a", "a\r\n": "a", "a": "a", "\n": "", longest: longest, longest + "\r\n": longest,
	} {
		if line, err := readLine(bufio.NewReader(strings.NewReader(input))); string(line) != want || err != nil {
			t.Errorf("%.20q: %.20q, %v", input, line, err)
		}
	}
	if _, err := readLine(bufio.NewReader(strings.NewReader(""))); err == nil {
		t.Error("no error at the end")
	}
	if _, err := readLine(bufio.NewReader(strings.NewReader(longest + "x"))); err == nil {
		t.Error("no error for a line that is too long")
	}
}
