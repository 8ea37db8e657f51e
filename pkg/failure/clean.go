package failure

import (
	"strings"
	"unicode"
)

const (
	longestForeignText = 300
	shortestSecret     = 8 // what is shorter would mask parts of words
)

// Clean makes a text that came from outside fit for a message: one line of printable characters, at most 300 of
// them, with each of the secrets masked.
func Clean(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	printable := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	runes := []rune(strings.Join(strings.Fields(printable), " "))
	if len(runes) > longestForeignText {
		return string(runes[:longestForeignText-1]) + "…"
	}
	return string(runes)
}
