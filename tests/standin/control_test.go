package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestControl(t *testing.T) {
	f := start(t)
	server := httptest.NewServer(f.Control())
	defer server.Close()
	call := func(method, path, body string) (int, string) {
		t.Helper()
		request, _ := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, strings.TrimSpace(string(text))
	}
	expect := func(method, path, body string, status int, want string) {
		t.Helper()
		if gotStatus, text := call(method, path, body); gotStatus != status || text != want {
			t.Errorf("%s %s: %d %s, not %d %s", method, path, gotStatus, text, status, want)
		}
	}

	_, text := call("POST", "/apps", `{"clientSecret": "s", "refreshToken": "r", "autoConsent": true}`)
	var app App
	if err := json.Unmarshal([]byte(text), &app); err != nil || app.ClientID == "" || app.Instance != "eu" || !app.AutoConsent {
		t.Fatalf("POST /apps returns %s, %v", text, err)
	}
	expect("POST", "/apps", `{"instance": "xx"}`, 400, `{"error":"no instance \"xx\""}`)
	expect("POST", "/apps", `{"rotate": true}`, 400, `{"error":"json: unknown field \"rotate\""}`)

	expect("POST", "/faults", `{"kind": "respond", "status": 503, "times": 1}`, 200, `{}`)
	f.expect(f.token(app, ClientCredentials), 503, "")
	expect("POST", "/faults", `{"kind": "x"}`, 400, `{"error":"no kind of fault \"x\""}`)

	access := f.token(app, ClientCredentials).text("access_token")
	expect("POST", "/check", `{"accessToken":"`+access+`","refreshToken":"r"}`, 200, `{"access":true,"refresh":true}`)
	expect("POST", "/check", `{"accessToken":"`+access+`x","refreshToken":"rx"}`, 200, `{"access":false,"refresh":false}`)
	if _, text = call("POST", "/refresh-token", `{"clientId":"`+app.ClientID+`"}`); text != `{"refreshToken":"`+f.CurrentRefreshToken(app.ClientID)+`"}` {
		t.Errorf("POST /refresh-token returns %s", text)
	}
	expect("GET", "/violations", "", 200, `[]`)
	var secrets []string
	_, text = call("GET", "/secrets", "")
	if err := json.Unmarshal([]byte(text), &secrets); err != nil || !slices.Equal(secrets, f.Secrets()) || len(secrets) != 4 {
		t.Errorf("GET /secrets returns %s, %v", text, err)
	}
	if _, text = call("GET", "/requests", ""); !strings.Contains(text, `"grant":"client_credentials","clientId":"`+app.ClientID+`","scope":"","status":503}`) {
		t.Errorf("GET /requests returns %s", text)
	}
	expect("POST", "/reset", "", 200, `{}`)
	expect("GET", "/requests", "", 200, `[]`)
}
