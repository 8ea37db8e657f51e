package tests

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// soak tells whether the long proofs run in full, as `make soak` has it.
var soak = os.Getenv("SOAK") != ""

// sample is how often a long proof repeats itself: a few times, or in full.
func sample(few, all int) int {
	if soak {
		return all
	}
	return few
}

// until waits for something to come about. Nothing takes half a minute unless it never comes.
func until(t testing.TB, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !come(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came about: %s", what)
		}
	}
}

// equal compares what came with what had to come.
func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v, want\n%+v", what, got, want)
	}
}

// contains fails the test unless a text holds all these words.
func contains(t testing.TB, what, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s does not say %q: %s", what, word, text)
		}
	}
}

// atOnce is a generous bound for what would otherwise take the 30 seconds of a time limit, or longer.
const atOnce = 10 * time.Second

// exists tells whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// proxy makes the machine's proxy one that does this with each connection after its CONNECT.
func (m *machine) proxy(serve func(net.Conn)) {
	m.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					serve(conn)
				}
			}()
		}
	}()
	m.env = append(m.env, "HTTPS_PROXY=http://user:proxy-password@"+listener.Addr().String())
	m.secrets = append(m.secrets, "proxy-password")
}

func sends(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

func hangs(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
