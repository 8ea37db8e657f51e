package tests

import (
	"bytes"
	"encoding/json"
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

// What NinjaOne repeats of a request is masked in every form, a short secret too, and nowhere are our own sentences.
func TestSecretsInWhatNinjaOneSays(t *testing.T) {
	t.Parallel()
	const secret = `a w"&` + "é"
	for name, form := range map[string]string{
		"plain": secret, "zero-width": "a\u200b w\"&é", "path": "a%20w%22%26%C3%A9", "form": "a+w%22%26%C3%A9", "lower case": "a%20w%22%26%c3%a9",
		"JSON": `a w\"\u0026\u00e9`, "HTML": "a w&quot;&amp;&eacute;",
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			app := m.app(standin.App{ClientSecret: secret, ClientID: "a-client"})
			body, err := json.Marshal(map[string]string{"error": "invalid_client", "error_description": "Bad '" + form + "' here"})
			if err != nil {
				t.Fatal(err)
			}
			m.fault(standin.Fault{Kind: standin.Respond, Times: 1, Status: 401, Reason: "No " + secret + " \x1b[31m", Body: string(body)})
			o := m.fails(asClient(app), "InvalidClient", "'a-client'", "Bad '***' here")
			if debug := o.said("debug"); strings.Contains(debug, "No") || !strings.Contains(debug, "status 401 after") {
				t.Errorf("debug: %q", debug)
			}
			scope, err := json.Marshal("monitoring " + form)
			if err != nil {
				t.Fatal(err)
			}
			m.alters("scope", string(scope))
			contains(t, "the warning", m.connect(asClient(app)).said("warning"), "'monitoring ***'")
		})
	}
}

// A vault may quote what it was handed.
func TestSecretsInWhatAVaultSays(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.who.secrets.asked = func(asked message) {
		for _, s := range asked.Secrets {
			if s.Name == "NinjaOneRefresh" {
				b.who.secrets.fullAt, b.who.secrets.quoted = s.Name, s.Value
			}
		}
	}
	b.expired()
	contains(t, "the warning", b.connects(b.example5(nil), nil).said("warning"), "The store is read only: ***.")
}
