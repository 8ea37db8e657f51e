package failure

import (
	"cmp"
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

const longestForeignText = 300

// Clean makes a text that came from outside fit for a message: one line of Printable characters, at most 300 of
// them, with each of the secrets masked. If the text holds one in an encoded form, it is shown decoded.
func Clean(text string, secrets ...string) string {
	text = masked(text, Printable, secrets)
	text = masked(text, plain, secrets)
	runes := []rune(Printable(text))
	if len(runes) > longestForeignText {
		return string(runes[:longestForeignText-1]) + "…"
	}
	return string(runes)
}

// masked returns a form of a text in which secrets are masked, or the text as it is if that form holds none.
func masked(text string, form func(string) string, secrets []string) string {
	formed, found := form(text), false
	for _, secret := range longestFirst(secrets) {
		if secret = form(secret); secret != "" && strings.Contains(formed, secret) {
			formed, found = strings.ReplaceAll(formed, secret, "***"), true
		}
	}
	if found {
		return formed
	}
	return text
}

// longestFirst keeps a secret that is part of another from leaving the rest of it.
func longestFirst(secrets []string) []string {
	return slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// Printable is a text as one line without what is invisible, whatever its length.
func Printable(text string) string {
	visible := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.Join(strings.Fields(visible), " ")
}

var escaped = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+|(?:\\u[0-9A-Fa-f]{4})+|\\["\\/bfnrt]`)

// plain is a text without the escapes of addresses and forms, JSON and HTML, nested ones too.
func plain(text string) string {
	for range 4 {
		before := text
		text = Printable(html.UnescapeString(escaped.ReplaceAllStringFunc(text, unescaped)))
		if text == before {
			break
		}
	}
	return Printable(strings.ReplaceAll(text, "+", " ")) // a form's blank
}

func unescaped(escape string) (text string) {
	if escape[0] == '\\' {
		_ = json.Unmarshal([]byte(`"`+escape+`"`), &text)
		return text
	}
	var bytes []byte
	for pair := range strings.SplitSeq(escape[1:], "%") {
		value, _ := strconv.ParseUint(pair, 16, 8)
		bytes = append(bytes, byte(value))
	}
	return string(bytes)
}

// Reason is what an error says, as the end of a sentence: Windows' texts bring a full stop of their own.
func Reason(err error) string { return strings.TrimSuffix(Printable(err.Error()), ".") }
