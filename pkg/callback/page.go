package callback

import (
	"bytes"
	"crypto/rand"
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"sync"
)

// Page is what the browser shows. No field holds a secret; they may hold text that came from outside.
type Page struct {
	Succeeded bool
	Heading   string // what happened
	Message   string
	Advice    string // what to do next
	Instance  string // the host of the NinjaOne instance; empty where it does not matter
}

func (p Page) status() int {
	if p.Succeeded {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

//go:embed page.html
var source string

var page = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(source)) })

// write sends the page in full to the network, within two seconds.
func write(w http.ResponseWriter, status int, p Page) {
	nonce := rand.Text()
	var body bytes.Buffer
	if err := page().Execute(&body, struct {
		Page
		Nonce string
	}{p, nonce}); err != nil {
		http.Error(w, p.Heading, status)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	header.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'nonce-%[1]s'; script-src 'nonce-%[1]s'; img-src data:; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce))
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusMethodNotAllowed {
		header.Set("Allow", http.MethodGet)
	}
	connection := http.NewResponseController(w)
	connection.SetWriteDeadline(deadline())
	w.WriteHeader(status)
	w.Write(body.Bytes())
	connection.Flush()
}
