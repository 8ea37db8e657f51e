package tests

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// watch lets a connect end, and returns the processes that it and its keyring's children were.
func (c *conversation) watch() (o *outcome, own string, children map[string]string) {
	c.m.t.Helper()
	children = map[string]string{}
	for o == nil {
		for id, text := range processTree(c.command.Process.Pid) {
			switch {
			case id == fmt.Sprint(c.command.Process.Pid):
				own = text
			case strings.Contains(text, "\x00keyring\x00"): // before exec it still shows its parent's
				children[id] = text
			}
		}
		select {
		case o = <-c.done:
		case <-time.After(2 * time.Millisecond):
		}
	}
	c.done <- o
	if o = c.wait(); o.status != 0 {
		c.m.t.Fatalf("%s: %s", o.ID, o.Message)
	}
	if own == "" || len(children) == 0 {
		c.m.t.Error("the program and its child were not seen")
	}
	return o, own, children
}

// Secrets stand neither in the command line nor in the environment of the program and of the keyring's child.
func TestSecretsAreNotInTheProcessTable(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		need.Missing(t, "/proc", "Linux has it")
	}
	m := newMachine(t)
	passphrase := filepath.Join(m.home, "passphrase")
	if err := os.WriteFile(passphrase, []byte("a passphrase"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.env = append(m.env, "NINJAONE_AUTH_VAULT_BACKEND=file", "NINJAONE_AUTH_VAULT_PASSPHRASE_FILE="+passphrase)
	app := m.app(standin.App{RefreshToken: "first-refresh-token"})
	call := asToken(app)
	maps.Copy(call, parameters{"UseSecretManagement": true, "WriteToSecretVault": true, "VaultName": "Test"})
	m.fault(standin.Fault{Kind: standin.Slow, Delay: 300 * time.Millisecond})
	c := m.start(request{Parameters: call, Caller: &caller{Streams: allStreams}})
	o, own, children := c.watch()
	m.secrets = append(m.secrets, "a passphrase", string(o.Authentication.Refresh))
	m.searchForSecrets("the program", own)
	for _, text := range children {
		m.searchForSecrets("the keyring's child", text)
	}
}

// The passphrase in a variable is the user's own choice; even then no child gets it.
func TestPassphraseVariableIsNotInherited(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.env = append(m.env, "NINJAONE_AUTH_VAULT_BACKEND=file", "NINJAONE_AUTH_VAULT_PASSPHRASE=a passphrase")
	app := m.app(standin.App{})
	call := asClient(app)
	maps.Copy(call, parameters{"UseSecretManagement": true, "WriteToSecretVault": true, "VaultName": "Test"})
	_, _, children := m.start(request{Parameters: call, Caller: &caller{Streams: allStreams}}).watch()
	m.secrets = append(m.secrets, "a passphrase")
	for _, text := range children {
		m.searchForSecrets("the keyring's child", text)
	}
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

	sleeper := exec.Command(need.Command(t, "sh", "any Linux has it"), "-c", "sleep 5 & wait", "planted-argument")
	sleeper.Env = []string{"PLANTED=planted-variable", "PATH=" + os.Getenv("PATH")}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sleeper.Process.Kill(); _ = sleeper.Wait() }()
	var tree map[string]string
	for range 100 {
		if tree = processTree(sleeper.Process.Pid); len(tree) == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	all := strings.Join(slices.Collect(maps.Values(tree)), "\n")
	if len(tree) != 2 || !strings.Contains(all, "planted-argument") || strings.Count(all, "planted-variable") != 2 {
		t.Errorf("%d processes: %q", len(tree), all)
	}
}
