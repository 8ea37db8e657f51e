package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// processTree reads the command line and environment of a process and of its descendants from /proc, by process id.
func processTree(pid int) map[string]string {
	tree := map[string]string{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents := map[string]string{}
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		_, after, _ := bytes.Cut(stat, []byte(") ")) // state ppid …
		if fields := strings.Fields(string(after)); len(fields) > 1 {
			parents[filepath.Base(filepath.Dir(file))] = fields[1]
		}
	}
	root := fmt.Sprint(pid)
	for id := range parents {
		for ancestor := id; ancestor != "" && ancestor != "0"; ancestor = parents[ancestor] {
			if ancestor == root {
				line, _ := os.ReadFile("/proc/" + id + "/cmdline")
				environment, _ := os.ReadFile("/proc/" + id + "/environ")
				tree[id] = string(line) + "\x00" + string(environment)
				break
			}
		}
	}
	return tree
}

// inProcessTable returns what the process table says of the program and of its keyring's child while they work for a call.
func (b *box) inProcessTable(p parameters) (program, child string) {
	b.t.Helper()
	if !exists("/proc/self/environ") {
		need.Missing(b.t, "/proc", "Linux has it")
	}
	b.env = append(b.env, "PLANTED=planted")
	b.hold()
	c := b.start(request{Parameters: p, Caller: b.who})
	b.awaitRequests(1)
	tree := processTree(c.command.Process.Pid)
	b.release()
	c.wait().succeeded(b.t)
	for id, text := range tree {
		if id == fmt.Sprint(c.command.Process.Pid) {
			program = text
		} else {
			child = text
		}
	}
	equal(b.t, "number of processes", len(tree), 2)
	contains(b.t, "the program", program, "\x00connect\x00", "PLANTED=planted\x00")
	contains(b.t, "the keyring's child", child, "\x00keyring\x00file\x00", "PLANTED=planted\x00")
	return program, child
}

// Secrets stand neither in the command line nor in the environment of the program and of the keyring's child.
func TestSecretsAreNotInTheProcessTable(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	program, child := b.inProcessTable(b.example5(nil))
	b.searchForSecrets("the program", program)
	b.searchForSecrets("the keyring's child", child)
}

// The passphrase in a variable is the user's own choice; even then neither the keyring's child nor the browser gets it.
func TestPassphraseVariableIsNotInherited(t *testing.T) {
	b := keyringBox(t, plainName)
	b.secrets = append(b.secrets, "open sesame")
	b.env = append(b.env, "NINJAONE_AUTH_VAULT_PASSPHRASE_FILE=", "NINJAONE_AUTH_VAULT_PASSPHRASE=open sesame")
	_, child := b.inProcessTable(b.example4(nil))
	b.searchForSecrets("the keyring's child", child)
	p, browser := b.useWeb(nil)
	b.connects(p, nil)
	environment := read(t, browser+".environment")
	contains(t, "the browser's environment", environment, "PLANTED=planted\n")
	b.searchForSecrets("the browser's environment", environment)
}

// failures counts what a search reports, in place of failing a test.
type failures struct {
	testing.TB
	count int
}

func (f *failures) Errorf(string, ...any) { f.count++ }
func (f *failures) Helper()               {}

// The searches find what they search for.
func TestTheSearchForSecretsWorks(t *testing.T) {
	m := newMachine(t)
	app := m.app(standin.App{ClientSecret: "planted-client-secret"})
	o := m.connect(asClient(app))
	found := &failures{TB: t}
	m.t = found
	m.secrets = []string{"planted-in-the-machine"}
	for _, text := range []string{
		`{"message":"planted-client-secret"}`, "Bearer " + o.Authentication.Access, `{"message":"\u0070lanted-in-the-machine"}`,
	} {
		m.searchForSecrets("a planted text", text)
	}
	m.searchForSecrets("an innocent text", "client secret")
	if found.count != 3 {
		t.Errorf("%d of 3 planted secrets found", found.count)
	}
}
