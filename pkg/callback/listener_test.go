package callback

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/tests/need"
)

const (
	state = "the-state-of-this-sign-in"
	good  = "?code=the-code&state=" + state
	// elsewhere is where the start address leads.
	elsewhere = "https://eu.ninjarmm.com/ws/oauth/authorize?state=" + state + "&code_challenge=x"
)

// signIn is a listener whose response, once it comes, is answered with a page.
type signIn struct {
	*Listener
	port int
	code chan string
}

func start(t testing.TB, redirectURI string, port int, finish func()) *signIn {
	t.Helper()
	listener, err := Listen(t.Context(), redirectURI, port, state, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	s := &signIn{Listener: listener, port: port, code: make(chan string, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer listener.Close()
		select {
		case response := <-listener.Responses():
			if finish != nil {
				finish()
			}
			response.Show(Page{Succeeded: true, Heading: "Done"})
			if response.Intercepted {
				response.Code = "intercepted"
			}
			s.code <- response.Code + response.Error
		case <-t.Context().Done():
		}
	}()
	t.Cleanup(func() { <-ended })
	return s
}

func localhost(port int) string { return fmt.Sprintf("http://localhost:%d/", port) }

// ask sends a request as it stands to 127.0.0.1 and returns the answer with its body.
func ask(t testing.TB, port int, request string) (*http.Response, string) {
	t.Helper()
	connection, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body) // the rest of a huge request makes the connection end with a reset
	return answer, string(body)
}

func get(target, host string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, host)
}

func (s *signIn) mustSucceed(t *testing.T) {
	t.Helper()
	answer, body := ask(t, s.port, get("/"+good, fmt.Sprintf("localhost:%d", s.port)))
	if answer.StatusCode != 200 || !strings.Contains(body, "Done") {
		t.Fatalf("status %d, page %q", answer.StatusCode, body)
	}
	if code := <-s.code; code != "the-code" {
		t.Fatalf("code %q", code)
	}
}

// mustBeFree allows for the moment in which the sign-in, whose page is there, has yet to close its listener.
func mustBeFree(t *testing.T, port int) {
	t.Helper()
	for _, address := range []string{"127.0.0.1", "::1"} {
		var err error
		for end := time.Now().Add(requestTimeout); time.Now().Before(end); time.Sleep(time.Millisecond) {
			var socket net.Listener
			if socket, err = net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port))); err == nil {
				socket.Close()
				break
			}
		}
		if err != nil {
			t.Errorf("the port is not free: %v", err)
		}
	}
}

func TestRejectedRequests(t *testing.T) {
	port := need.FreePort(t)
	s := start(t, localhost(port), port, nil)
	host := fmt.Sprintf("localhost:%d", port)
	line := func(method, target, host string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", method, target, host)
	}
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"favicon":                {get("/favicon.ico", host), 404},
		"another path":           {get("/other"+good, host), 404},
		"double slash":           {get("//"+good, host), 404},
		"no parameters":          {get("/", host), 400},
		"no state":               {get("/?code=x", host), 400},
		"empty state":            {get("/?code=x&state=", host), 400},
		"forged state":           {get("/?code=x&state=forged", host), 400},
		"state in another case":  {get("/?code=x&state="+strings.ToUpper(state), host), 400},
		"prefix of the state":    {get("/?code=x&state="+state[:5], host), 400},
		"forged state, error":    {get("/?error=access_denied&state=forged", host), 400},
		"no state, error":        {get("/?error=access_denied", host), 400},
		"state twice":            {get("/"+good+"&state="+state, host), 400},
		"state, then forged":     {get("/"+good+"&state=forged", host), 400},
		"code twice":             {get("/"+good+"&code=y", host), 400},
		"error twice":            {get("/?error=a&error=b&state="+state, host), 400},
		"empty iss":              {get("/"+good+"&iss=", host), 400},
		"anything twice":         {get("/"+good+"&more=1&more=2", host), 400},
		"iss twice":              {get("/"+good+"&iss=a&iss=b", host), 400},
		"code and error":         {get("/"+good+"&error=access_denied", host), 400},
		"code and empty error":   {get("/"+good+"&error=", host), 400},
		"neither code nor error": {get("/?state="+state, host), 400},
		"empty code":             {get("/?code=&state="+state, host), 400},
		"malformed query":        {get("/"+good+"&a=%zz", host), 400},
		"semicolon":              {get("/?code=x;state="+state, host), 400},
		"HEAD":                   {line("HEAD", "/"+good, host), 405},
		"POST":                   {line("POST", "/"+good, host), 405},
		"PUT":                    {line("PUT", "/"+good, host), 405},
		"OPTIONS":                {line("OPTIONS", "/"+good, host), 405},
		"OPTIONS *":              {line("OPTIONS", "*", host), 405},
		"CONNECT":                {line("CONNECT", host, host), 405},
		"lower-case get":         {line("get", "/"+good, host), 405},
		"foreign host":           {get("/"+good, "rebound.example"), 421},
		"foreign host, our port": {get("/"+good, fmt.Sprintf("rebound.example:%d", port)), 421},
		"localhost as a prefix":  {get("/"+good, "localhost.example"), 421},
		"foreign absolute form":  {get("http://rebound.example/"+good, host), 421},
		"no host":                {"GET /" + good + " HTTP/1.0\r\n\r\n", 421},
		"no host in HTTP/1.1":    {"GET /" + good + " HTTP/1.1\r\n\r\n", 400},
		"huge header":            {"GET /" + good + " HTTP/1.1\r\nHost: " + host + "\r\nX: " + strings.Repeat("x", 24<<10), 431},
		"not HTTP":               {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 \r\n\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			answer, body := ask(t, port, c.request)
			if answer.StatusCode != c.status {
				t.Errorf("status %d instead of %d", answer.StatusCode, c.status)
			}
			if strings.Contains(body, state) || strings.Contains(body, "the-code") {
				t.Error("the page repeats the request")
			}
			if c.status == 405 && answer.Header.Get("Allow") != "GET" {
				t.Error("no Allow header")
			}
			if len(s.code) > 0 {
				t.Fatal("it ended the wait")
			}
		})
	}
	s.mustSucceed(t)
	mustBeFree(t, port)
}

func TestErrorResponseIsDelivered(t *testing.T) {
	port := need.FreePort(t)
	s := start(t, localhost(port), port, nil)
	ask(t, port, get("/?error=access_denied&error_description=no&state="+state, "localhost"))
	if got := <-s.code; got != "access_denied" {
		t.Error(got)
	}
}

func TestBothAddressFamilies(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "[::1]", "localhost"} {
		t.Run(address, func(t *testing.T) {
			port := need.FreePort(t)
			s := start(t, localhost(port), port, nil)
			answer, err := http.Get(fmt.Sprintf("http://%s:%d/%s", address, port, good))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != 200 || <-s.code != "the-code" {
				t.Error(answer.Status)
			}
		})
	}
}

func TestOnlyLoopbackIsBound(t *testing.T) {
	port := need.FreePort(t)
	start(t, localhost(port), port, nil)
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		ip := address.(*net.IPNet).IP
		if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		connection, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), strconv.Itoa(port)), time.Second)
		if err == nil {
			connection.Close()
			t.Errorf("reachable at %s", ip)
		}
	}
}

func TestPortInUse(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		t.Run(address, func(t *testing.T) {
			port := need.FreePort(t)
			other, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Listen(t.Context(), fmt.Sprintf("http://localhost:%d/auth", port), port, state, elsewhere)
			if !failure.Is(err, failure.PortInUse) {
				t.Fatalf("%v", err)
			}
			failed := failure.From(err)
			for _, needed := range []string{fmt.Sprintf("Port %d", port), fmt.Sprintf("-Port %d", port+1), fmt.Sprintf("http://localhost:%d/auth", port+1)} {
				if !strings.Contains(failed.Message+failed.Recommendation, needed) {
					t.Errorf("does not say %q: %s %s", needed, failed.Message, failed.Recommendation)
				}
			}
			other.Close()
			mustBeFree(t, port)
		})
	}
}

func TestListenFailures(t *testing.T) {
	if _, err := Listen(t.Context(), "https://redirect.example.uk/auth", 70000, state, elsewhere); !failure.Is(err, failure.PortUnavailable) {
		t.Errorf("an impossible port: %v", err)
	}
	forwarder := &url.URL{Scheme: "https", Host: "redirect.example.uk", Path: "/auth"}
	for id, cause := range map[failure.ID]error{failure.PortNotAllowed: wsaeAccess, failure.PortInUse: wsaeAddrInUse, failure.PortUnavailable: errors.New("no loopback")} {
		failed := unavailable(forwarder, 443, cause)
		if failed.ID != id {
			t.Errorf("%s instead of %s", failed.ID, id)
		}
		if !strings.Contains(failed.Recommendation, "-Port 9090") || !strings.Contains(failed.Recommendation, "redirect.example.uk forward") {
			t.Error(failed.Recommendation)
		}
	}
}

func TestCloseFreesThePortAtOnce(t *testing.T) {
	port := need.FreePort(t)
	listener, err := Listen(t.Context(), localhost(port), port, state, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	idle, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	waiting := make(chan error, 1)
	go func() {
		_, err := http.Get(localhost(port) + good)
		waiting <- err
	}()
	<-listener.Responses()
	began := time.Now()
	listener.Close()
	mustBeFree(t, port)
	if err := <-waiting; err == nil {
		t.Error("an unanswered browser got an answer")
	}
	if took := time.Since(began); took > requestTimeout {
		t.Errorf("took %s", took)
	}
}

func TestIdleAndSlowConnectionsDoNotDisturb(t *testing.T) {
	port := need.FreePort(t)
	s := start(t, localhost(port), port, nil)
	for i := range mostConnections - 1 {
		connection, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if i%2 == 0 {
			io.WriteString(connection, "GET / HTTP/1.1\r\nHost: lo")
		}
	}
	began := time.Now()
	s.mustSucceed(t)
	if took := time.Since(began); took > requestTimeout {
		t.Errorf("took %s", took)
	}
	mustBeFree(t, port)
}

func TestSlowRequestIsDropped(t *testing.T) {
	t.Parallel()
	port := need.FreePort(t)
	s := start(t, localhost(port), port, nil)
	connection, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "GET /"+good+" HTTP/1.1\r\nHost: localhost\r\n")
	connection.SetReadDeadline(time.Now().Add(2 * requestTimeout))
	if _, err := io.Copy(io.Discard, connection); err != nil {
		t.Errorf("not dropped: %v", err)
	}
	s.mustSucceed(t)
}

// Connections without a request, however many, keep nobody else's out, and the one that waits for its page is left alone.
func TestManyHalfOpenConnections(t *testing.T) {
	port := need.FreePort(t)
	opened := make(chan struct{})
	s := start(t, localhost(port), port, func() {
		select {
		case <-opened:
		case <-t.Context().Done():
		}
	})
	open := func() {
		for i := range 500 {
			connection, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { connection.Close() })
			if i%2 == 0 {
				io.WriteString(connection, "GET / HTTP/1.1\r\nHost: lo")
			}
		}
	}
	open()
	began := time.Now()
	pages := make(chan string, 1)
	go func() {
		_, body := ask(t, port, get("/"+good, "localhost"))
		pages <- body
	}()
	for !s.claimed.Load() {
		if took := time.Since(began); took > requestTimeout/2 {
			t.Fatalf("the request has taken %s", took)
		}
		time.Sleep(time.Millisecond)
	}
	open()
	close(opened)
	if page := <-pages; !strings.Contains(page, "Done") {
		t.Errorf("page %q", page)
	}
}

// browse asks for the start address as a browser does, with a cookie or without.
func (s *signIn) browse(t *testing.T, method string, cookie *http.Cookie) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, s.StartAddress(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != nil {
		request.AddCookie(cookie)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}

func TestStartAddress(t *testing.T) {
	for name, intrude := range map[string]func(s *signIn, t *testing.T, own *http.Cookie) *http.Response{
		"nobody":    nil,
		"no cookie": func(s *signIn, t *testing.T, _ *http.Cookie) *http.Response { return s.browse(t, "GET", nil) },
		"wrong cookie": func(s *signIn, t *testing.T, own *http.Cookie) *http.Response {
			own.Value += "x"
			return s.browse(t, "GET", own)
		},
	} {
		t.Run(name, func(t *testing.T) {
			port := need.FreePort(t)
			s := start(t, localhost(port), port, nil)
			if strings.Contains(s.StartAddress(), state) || len(s.StartAddress()) > 60 {
				t.Errorf("start address %s", s.StartAddress())
			}
			for _, method := range []string{"HEAD", "POST", "OPTIONS"} {
				if answer := s.browse(t, method, nil); answer.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("%s: status %d", method, answer.StatusCode)
				}
			}
			first := s.browse(t, "GET", nil)
			cookie := first.Cookies()[0]
			if cookie.SameSite != http.SameSiteLaxMode || !cookie.HttpOnly || !strings.HasSuffix(s.StartAddress(), cookie.Path) {
				t.Errorf("cookie %+v", cookie)
			}
			for _, answer := range []*http.Response{first, s.browse(t, "GET", cookie)} {
				if answer.StatusCode != http.StatusFound || answer.Header.Get("Location") != elsewhere || answer.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("status %d, header %v", answer.StatusCode, answer.Header)
				}
			}
			if intrude == nil {
				s.mustSucceed(t) // without the cookie
				return
			}
			if answer := intrude(s, t, cookie); answer.Header.Get("Location") != "" || answer.Header.Get("Set-Cookie") != "" {
				t.Errorf("the intruder is led on: %v", answer.Header)
			}
			if got := <-s.code; got != "intercepted" {
				t.Errorf("the sign-in goes on with %q", got)
			}
		})
	}
}

func TestBrowserThatNeverReads(t *testing.T) {
	port := need.FreePort(t)
	s := start(t, localhost(port), port, nil)
	connection, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.(*net.TCPConn).SetReadBuffer(1)
	io.WriteString(connection, get("/"+good, "localhost"))
	select {
	case <-s.code:
	case <-time.After(10 * pageTimeout):
		t.Fatal("it holds the sign-in up")
	}
}

func TestBrowserThatLeavesDuringTheExchange(t *testing.T) {
	port := need.FreePort(t)
	left := make(chan struct{})
	s := start(t, localhost(port), port, func() { <-left })
	connection, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(connection, get("/"+good, "localhost"))
	connection.Close()
	close(left)
	if code := <-s.code; code != "the-code" {
		t.Error(code)
	}
}

func TestSecondVisit(t *testing.T) {
	port := need.FreePort(t)
	second := make(chan struct{})
	s := start(t, localhost(port), port, func() { <-second })
	first := make(chan string, 1)
	go func() {
		_, body := ask(t, port, get("/"+good, "localhost"))
		first <- body
	}()
	for !s.claimed.Load() {
		time.Sleep(time.Millisecond)
	}
	answer, body := ask(t, port, get("/"+good, "localhost"))
	close(second)
	if answer.StatusCode != http.StatusConflict || !strings.Contains(body, "already used") {
		t.Errorf("status %d, page %q", answer.StatusCode, body)
	}
	if body := <-first; !strings.Contains(body, "Done") {
		t.Errorf("the first visit got %q", body)
	}
}

func TestConcurrentVisitsAreTakenOnce(t *testing.T) {
	port := need.FreePort(t)
	refused := make(chan struct{})
	start(t, localhost(port), port, func() { <-refused })
	statuses := make(chan int, 20)
	for range 20 {
		go func() {
			answer, err := http.Get(localhost(port) + good)
			if err != nil {
				statuses <- 0
				return
			}
			answer.Body.Close()
			statuses <- answer.StatusCode
		}()
	}
	count := map[int]int{}
	for range 19 { // the others; the one that was taken waits for its page
		count[<-statuses]++
	}
	close(refused)
	count[<-statuses]++
	if count[200] != 1 || count[409] != 19 {
		t.Errorf("statuses: %v", count)
	}
}

func TestRedirectURIForms(t *testing.T) {
	for redirectURI, c := range map[string]struct{ taken, refused string }{
		"http://localhost:PORT":                 {get("/"+good, "localhost:PORT"), get("/x"+good, "localhost:PORT")},
		"http://127.0.0.1:PORT/auth":            {get("/auth"+good, "127.0.0.1:PORT"), get("/auth/"+good, "127.0.0.1:PORT")},
		"http://[::1]:PORT/auth/":               {get("/auth/"+good, "[::1]:PORT"), get("/auth"+good, "[::1]:PORT")},
		"http://localhost:PORT/a?tenant=1":      {get("/a?tenant=1&"+good[1:], "localhost:PORT"), get("/?tenant=1&"+good[1:], "localhost:PORT")},
		"http://LOCALHOST:PORT/a%20b":           {get("/a%20b"+good, "localhost:PORT"), get("/a"+good, "localhost:PORT")},
		"https://redirect.example.uk:9090/auth": {get("/anything"+good, "redirect.example.uk:9090"), get("/auth"+good, "other.example.uk")},
		"https://redirect.example.uk/auth":      {get("/"+good, "localhost:PORT"), get("/auth"+good, "redirect.example")},
		"https://192.0.2.7/auth":                {get("/auth"+good, "192.0.2.7"), get("/auth"+good, "192.0.2.8")},
	} {
		t.Run(redirectURI, func(t *testing.T) {
			port := need.FreePort(t)
			in := func(text string) string { return strings.ReplaceAll(text, "PORT", strconv.Itoa(port)) }
			s := start(t, in(redirectURI), port, nil)
			if answer, _ := ask(t, port, in(c.refused)); answer.StatusCode < 400 {
				t.Errorf("%q gets status %d", c.refused, answer.StatusCode)
			}
			if answer, _ := ask(t, port, in(c.taken)); answer.StatusCode != 200 {
				t.Fatalf("%q gets status %d", c.taken, answer.StatusCode)
			}
			<-s.code
		})
	}
}

func TestPageIsEscapedAndLockedDown(t *testing.T) {
	port := need.FreePort(t)
	listener, err := Listen(t.Context(), localhost(port), port, state, elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		response := <-listener.Responses()
		response.Show(Page{Heading: "<script>alert(1)</script>", Message: response.Description, Advice: `"><img src=x>`, Instance: "<b>"})
	}()
	answer, body := ask(t, port, get("/?error=x&error_description=%3Cscript%3Ealert(2)%3C/script%3E&state="+state, "localhost"))
	if strings.Contains(body, "alert(1)</script>") || strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || strings.Contains(body, "<b>") {
		t.Errorf("not escaped: %s", body)
	}
	for name, value := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
		"Content-Type": "text/html; charset=utf-8", "Connection": "close",
	} {
		if got := answer.Header.Get(name); got != value && !(name == "Connection" && answer.Close) {
			t.Errorf("%s: %q", name, got)
		}
	}
	policy := answer.Header.Get("Content-Security-Policy")
	for _, needed := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, needed) {
			t.Errorf("the policy lacks %s: %s", needed, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy allows too much: %s", policy)
	}
}

func FuzzCallback(f *testing.F) {
	for _, seed := range []string{good, "?error=access_denied&state=" + state, "?state=%zz", "?code=a&code=b", "?a;b", ""} {
		f.Add("GET", "/", strings.TrimPrefix(seed, "?"), "localhost:9090")
	}
	f.Add("HEAD", "/favicon.ico", good[1:], "[::1]:9090")
	redirect, err := url.Parse("http://localhost:9090/")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, query, host string) {
		l := &Listener{redirect: redirect, state: state, start: newStart(elsewhere), responses: make(chan *Response, 1), closed: make(chan struct{})}
		close(l.closed)
		answer := httptest.NewRecorder()
		l.ServeHTTP(answer, &http.Request{Method: method, Host: host, URL: &url.URL{Path: path, RawQuery: query}})
		if len(l.responses) == 0 {
			if answer.Code < 400 || answer.Header().Get("Content-Security-Policy") == "" {
				t.Errorf("refused with status %d", answer.Code)
			}
			return
		}
		response := <-l.responses
		if values, err := url.ParseQuery(query); err != nil || method != "GET" || path != "/" || !slices.Equal(values["state"], []string{state}) {
			t.Errorf("accepted %s %s?%s", method, path, query)
		}
		if (response.Code == "") == (response.Error == "") {
			t.Errorf("accepted with the code %q and the error %q", response.Code, response.Error)
		}
	})
}
