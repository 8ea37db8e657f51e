package failure

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
)

// forms are the ways in which a text may come back.
var forms = map[string]func(string) string{
	"plain":      func(s string) string { return s },
	"form":       url.QueryEscape,
	"path":       url.PathEscape,
	"lower case": func(s string) string { return everyByte(s, "%%%02x") },
	"JSON":       func(s string) string { text, _ := json.Marshal(s); return strings.Trim(string(text), `"`) },
	"JSON, all": func(s string) string {
		var all strings.Builder
		for _, r := range s {
			fmt.Fprintf(&all, `\u%04X`, r)
		}
		return all.String()
	},
	"HTML":        html.EscapeString,
	"HTML, all":   func(s string) string { return everyByte(s, "&#x%X;") },
	"zero-width":  func(s string) string { return s[:1] + "\u200b" + s[1:] },
	"soft hyphen": func(s string) string { return s[:1] + "\u00ad" + s[1:] },
	"twice":       func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"a form in JSON in HTML": func(s string) string {
		text, _ := json.Marshal(url.QueryEscape(s[:1] + "\u200b" + s[1:]))
		return html.EscapeString(string(text))
	},
}

func everyByte(text, format string) string {
	var all strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&all, format, b)
	}
	return all.String()
}

func TestCleanMasksEveryForm(t *testing.T) {
	for name, encode := range forms {
		for _, secret := range []string{"pw", "p+w d", `q"\/<&'>%41`, "00Z00zzZ-zzz_zZz", "one  two", "%2B+&amp;"} {
			got := Clean("Bad value "+encode(secret)+", try again", secret, "another")
			if !strings.Contains(got, "***") || strings.Contains(got, encode(secret)) || plain(got) != "Bad value ***, try again" && !strings.Contains(name, "HTML") {
				t.Errorf("%s of %q: %q", name, secret, got)
			}
		}
	}
}

func TestCleanLeavesTheRest(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"100% of a+b &amp; %41", "100% of a+b &amp; %41"},
		{"two\r\nlines\x1b[31m\u202e\x00", "two lines [31m"},
		{"abcdef abc", "*** ***"}, // the longer one first
		{strings.Repeat("x", 290) + "abcdef" + strings.Repeat("y", 20), strings.Repeat("x", 290) + "***" + strings.Repeat("y", 6) + "…"},
		{"\xff\xfe", ""},
	} {
		if got := Clean(c.text, "abc", "abcdef", ""); got != c.want {
			t.Errorf("%q: %q", c.text, got)
		}
	}
}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{"The system cannot find the path specified.": "The system cannot find the path specified", "no such file\n": "no such file"} {
		if got := Reason(errors.New(text)); got != want {
			t.Error(got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("Bad value %70w", "pw")
	f.Add(`\u0070\u0077&#x70;w`, "p\u200bw")
	f.Fuzz(func(t *testing.T, text, secret string) {
		got := Clean(text, secret)
		if len([]rune(got)) > longestForeignText || strings.ContainsAny(got, "\r\n\x1b\u200b") {
			t.Errorf("%q", got)
		}
		visible := Printable(secret)
		for piece := range strings.SplitSeq(got, "***") { // what is left on both sides of a mask may look like one
			if visible != "" && !strings.Contains("***", visible) && strings.Contains(piece, visible) {
				t.Errorf("%q shows %q", got, visible)
			}
		}
	})
}
