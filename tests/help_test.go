package tests

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Someone who has only the program finds everything by its help, whatever stdin is.
func TestHelp(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	help := m.runsOn(`{"parameters":{}}`, 0).stdout
	equal(t, "--help", m.runs(0, "--help").stdout, help)
	equal(t, "help", m.runs(0, "help").stdout, help)
	order := []string{"Usage: ninjaone-auth", "Sessions:", "login", "token", "Looking into things:", "vault list", "For programs:", "connect ", "Examples:", "curl -H @-", "Exit status: 0"}
	at := -1
	for _, words := range order {
		next := strings.Index(help[at+1:], words)
		if next < 0 {
			t.Fatalf("%q is not where it should be:\n%s", words, help)
		}
		at += 1 + next
	}
	for _, line := range regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)  +[A-Z]`).FindAllStringSubmatch(help, -1) {
		words := strings.Fields(line[1])
		if line[1] == "help" { // help --help is the program's
			continue
		}
		of := m.runs(0, append(slices.Clone(words), "--help")...).stdout
		equal(t, "help "+line[1], m.runs(0, append([]string{"help"}, words...)...).stdout, of)
		contains(t, "help "+line[1], of, "Usage: ninjaone-auth "+line[1])
	}
	equal(t, "--version", m.runs(0, "--version").stdout, m.runs(0, "version").stdout)
	contains(t, "version --json", m.runs(0, "version", "--json").stdout, `"version": "dev"`, `"conversation": 1`)
	contains(t, "help login", m.runs(0, "help", "login").stdout, "NINJAONE_CLIENT_SECRET", "Examples:")
	m.runs(2, "help", "nothing").saysOnly(t, "nothing")
	m.runs(2, "lgoin").saysOnly(t, `did you mean "login"`)
}
