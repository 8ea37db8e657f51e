package callback

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"sync/atomic"
)

// startAddress is the address that is opened in the browser in place of NinjaOne's: every user of the machine can read it in the
// browser's command line, so it holds neither state nor challenge. It leads on whoever comes first, and then nobody else.
type startAddress struct {
	path    string
	cookie  *http.Cookie // is told to the first visitor alone
	to      string
	visited atomic.Bool
}

func newStart(to string) *startAddress {
	path := "/" + rand.Text()
	return &startAddress{path: path, to: to, cookie: &http.Cookie{
		Name: "ninjaone-auth", Value: rand.Text(), Path: path, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}}
}

// StartAddress is what to open in the browser.
func (l *Listener) StartAddress() string {
	return fmt.Sprintf("http://localhost:%d%s", l.port, l.start.path)
}

// lead sends a visitor of the start address on, and tells whether it was the first visitor.
func (s *startAddress) lead(w http.ResponseWriter, r *http.Request) (first bool) {
	cookie, err := r.Cookie(s.cookie.Name)
	again := err == nil && same(cookie.Value, s.cookie.Value)
	if !again && !s.visited.CompareAndSwap(false, true) {
		return false
	}
	http.SetCookie(w, s.cookie)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", s.to)
	w.WriteHeader(http.StatusFound)
	return true
}
