package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// fixture has the methods of the test and of the service; Fail is the service's.
type fixture struct {
	*testing.T
	*Service
	client *http.Client
}

func start(t *testing.T) fixture {
	t.Helper()
	service, err := Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	client := service.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return fixture{t, service, client}
}

func (f fixture) register(app App) App {
	f.Helper()
	app, err := f.Register(app)
	if err != nil {
		f.Fatal(err)
	}
	return app
}

func (f fixture) fail(fault Fault) {
	f.Helper()
	if err := f.Service.Fail(fault); err != nil {
		f.Fatal(err)
	}
}

// got is a response as a client sees it.
type got struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

func (g got) text(name string) string {
	text, _ := g.fields[name].(string)
	return text
}

func (f fixture) do(request *http.Request) got {
	f.Helper()
	response, err := f.client.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	g := got{status: response.StatusCode, header: response.Header, body: string(body)}
	_ = json.Unmarshal(body, &g.fields)
	return g
}

func form(app App, grant string, more ...string) url.Values {
	values := url.Values{"grant_type": {grant}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret}}
	for i := 0; i < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return values
}

func post(address string, values url.Values) *http.Request {
	request, _ := http.NewRequest(http.MethodPost, address, strings.NewReader(values.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request
}

func get(address string) *http.Request {
	request, _ := http.NewRequest(http.MethodGet, address, nil)
	return request
}

func tokenURL(app App) string { return app.BaseURL() + "/ws/oauth/token" }

func (f fixture) token(app App, grant string, more ...string) got {
	f.Helper()
	return f.do(post(tokenURL(app), form(app, grant, more...)))
}

func (f fixture) expect(g got, status int, contains string) {
	f.Helper()
	if g.status != status || !strings.Contains(g.body, contains) {
		f.Errorf("the response is %d %.300q, not %d with %q", g.status, g.body, status, contains)
	}
}

func (f fixture) later(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = func() time.Time { return time.Now().Add(by) }
}
