package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// answerTo is what a shell script gets: it writes its input, closes it and takes one line.
func (m *machine) answerTo(input string) (answer, int) {
	m.t.Helper()
	command := m.command("connect")
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
	started := time.Now()
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !strings.Contains(err.Error(), "broken pipe") {
		m.t.Fatal(err)
	}
	text := stdout.String()
	if stderr.Len() > 0 || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || time.Since(started) > 10*time.Second {
		m.t.Errorf("not one line, but %q, and on stderr %q, after %s", text, stderr.String(), time.Since(started))
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r >= 0x7f }); i >= 0 {
		m.t.Errorf("not ASCII at %d: %q", i, text)
	}
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		m.t.Errorf("%v: %q", err, text)
	}
	if a.Type == "error" {
		m.searchForSecrets("the error", text)
	}
	return a, command.ProcessState.ExitCode()
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.secrets = append(m.secrets, "hunter2")
	for name, test := range map[string]struct{ input, id, word string }{
		"nothing":                     {"", "EmptyRequest", "no request"},
		"an empty line":               {"\r\n", "EmptyRequest", "no request"},
		"text":                        {"Connect-NinjaOne hunter2\n", "MalformedRequest", "not one line of JSON"},
		"half a request":              {`{"parameters":{"ClientSecret":"hunter2"`, "MalformedRequest", "not one line of JSON"},
		"several lines":               {"{\n  \"parameters\": {}\n}\n", "MalformedRequest", "jq -c"},
		"a number":                    {"17\n", "MalformedRequest", "not an object"},
		"null":                        {"null\n", "MalformedRequest", "not an object"},
		"an array":                    {"[]\n", "MalformedRequest", "not an object"},
		"two requests in a line":      {"{}{}\n", "MalformedRequest", "not one line of JSON"},
		"binary":                      {"\x00\x01\xfe\xff{}\n", "MalformedRequest", "UTF-8"},
		"Latin-1":                     {"{\"parameters\":{\"ClientId\":\"M\xfcller\"}}\n", "MalformedRequest", "UTF-8"},
		"UTF-16":                      {"\xff\xfe{\x00}\x00\n\x00", "MalformedRequest", "UTF-8"},
		"2 MiB":                       {`{"parameters":{"ClientSecret":"` + strings.Repeat("hunter2", 300_000) + `"}}`, "RequestTooLong", "1 MiB"},
		"100,000 brackets":            {strings.Repeat("[", 100_000), "MalformedRequest", ""},
		"version 2":                   {`{"version":2,"caller":{"streams":"new"}}`, "UnsupportedVersion", "version 2"},
		"version 0":                   {`{"version":0}`, "UnsupportedVersion", "version 0"},
		"version as a string":         {`{"version":"two"}`, "MalformedRequest", ""},
		"version as an object":        {`{"version":{"is":1}}`, "MalformedRequest", "version can't be of the type object"},
		"parameters as an array":      {`{"parameters":["hunter2"]}`, "MalformedRequest", "parameters: it is not an object"},
		"parameters as a string":      {`{"parameters":"hunter2"}`, "MalformedRequest", "parameters: it is not an object"},
		"streams as a string":         {`{"caller":{"streams":"verbose"}}`, "MalformedRequest", "caller.streams can't be of the type string"},
		"a session as a string":       {`{"session":"hunter2"}`, "MalformedRequest", "session: it is not an object"},
		"a damaged session":           {`{"session":{"connection":{"ClientSecret":["hunter2"]}}}`, "MalformedRequest", "ClientSecret can't be of the type array"},
		"no parameters":               {`{"version":1}`, "MissingMandatoryParameter", "UseWebAuth Instance ClientId ClientSecret"},
		"a parameter twice":           {`{"parameters":{"ClientSecret":"a","clientsecret":"hunter2"}}`, "ParameterAlreadyBound", "ClientSecret"},
		"an unknown parameter":        {`{"parameters":{"UseClientAuth":true,"M\u00fcller\u001b[31m":1}}`, "NamedParameterNotFound", "Müller"},
		"a parameter of a wrong type": {`{"parameters":{"ClientSecret":{"password":"hunter2"}}}`, "ParameterArgumentTransformationError", "ClientSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			a, status := m.answerTo(test.input)
			(&outcome{answer: a, status: status}).hasFailed(t, test.id, test.word)
		})
	}
	if seen := m.service.Requests(); len(seen) > 0 {
		t.Errorf("%d requests were sent", len(seen))
	}
}

func TestLenientInput(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{ClientID: "Müller-𝄞", ClientSecret: "schlüssel 𝄞"})
	line := `{"parameters":{"instance":"eu","CLIENTID":"Müller-𝄞","ClientSecret":"schlüssel \ud834\udd1e","UseClientAuth":true},"new":{"field":[1]}`
	for name, input := range map[string]string{
		"LF": line + "}\n", "CRLF": line + "}\r\n", "no line end": line + "}", "a byte-order mark": "\ufeff" + line + "}\n",
		"something after it": line + "}\nmore\n", "version and session null": line + `,"version":null,"session":null,"caller":null}`,
		"900 KiB": line + `,"padding":"` + strings.Repeat("x", 900<<10) + `"}`,
	} {
		a, status := m.answerTo(input)
		if a.Type != "session" || status != 0 || a.Connection.ClientID != app.ClientID || a.Connection.ClientSecret != app.ClientSecret {
			t.Errorf("%s: exit status %d, %s: %s", name, status, a.ID, a.Message)
		}
	}
	a, status := m.answerTo(`{"parameters":{"Instance":"oc","ClientId":"Müller-𝄞","ClientSecret":"x","UseClientAuth":true}}`)
	(&outcome{answer: a, status: status}).hasFailed(t, "InvalidClient", "Müller-𝄞")
}

func TestClosedStdout(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{})
	for name, r := range map[string]request{
		"for a session":   {Parameters: asClient(app)},
		"for an error":    {Parameters: parameters{"UseClientAuth": true}},
		"for the streams": {Parameters: asClient(app), Caller: &caller{Streams: allStreams}},
	} {
		input, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		command := m.command("connect")
		command.Stdin, command.Stdout = bytes.NewReader(input), write
		started := time.Now()
		_ = command.Run()
		write.Close()
		if status := command.ProcessState.ExitCode(); status != 1 || time.Since(started) > 5*time.Second {
			t.Errorf("%s: exit status %d after %s", name, status, time.Since(started))
		}
	}
}

func TestClosedStdin(t *testing.T) {
	command := newMachine(t).command("-c", `exec "$0" connect <&-`, binary)
	command.Path = need.Command(t, "sh", "any Linux has it")
	output, _ := command.Output()
	if command.ProcessState.ExitCode() != 1 || !strings.Contains(string(output), `"EmptyRequest"`) {
		t.Errorf("exit status %d: %s", command.ProcessState.ExitCode(), output)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, test := range []struct {
		arguments []string
		status    int
		stdout    string
		stderr    string
	}{
		{[]string{"version"}, 0, "ninjaone-auth dev (conversation 1, go", ""},
		{[]string{"--help"}, 0, "Signs in to NinjaOne", ""},
		{[]string{"sign-in"}, 2, "", "--help"},
		{[]string{"connect", "--client-secret", "x"}, 2, "", "--help"},
		{[]string{"version", "please"}, 2, "", "--help"},
	} {
		command := m.command(test.arguments...)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		_ = command.Run()
		if status := command.ProcessState.ExitCode(); status != test.status || !strings.Contains(stdout.String(), test.stdout) ||
			!strings.Contains(stderr.String(), test.stderr) || test.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%v: exit status %d, %q, %q", test.arguments, status, stdout.String(), stderr.String())
		}
	}
}

func TestUsageAtATerminal(t *testing.T) {
	t.Parallel()
	script := need.Command(t, "script", "apt-get install bsdutils")
	for _, arguments := range []string{"", " connect"} {
		command := newMachine(t).command("-qec", binary+arguments, "/dev/null")
		command.Path = script
		started := time.Now()
		output, err := command.Output()
		if err != nil || !strings.Contains(string(output), "Usage: ninjaone-auth") || time.Since(started) > 5*time.Second {
			t.Errorf("%v after %s: %s", err, time.Since(started), output)
		}
	}
}

func TestParametersCommand(t *testing.T) {
	t.Parallel()
	output, err := newMachine(t).command("parameters").Output()
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		DefaultParameterSet string
		Parameters          []struct {
			Name, Type, Help, Default string
			Sets                      []struct {
				Name      string
				Mandatory bool
			}
		}
	}
	if err := json.Unmarshal(output, &table); err != nil {
		t.Fatal(err)
	}
	// The help page: in its order, with the sets as initials, a capital one where the parameter is mandatory.
	initials := map[string]string{
		"Authorisation Code": "a", "Secret Vault Write": "w", "Token Authentication": "t", "Client Credentials": "c", "Secret Vault Read": "r",
	}
	want := strings.Split(`UseWebAuth SwitchParameter False Aw
UseTokenAuth SwitchParameter False Tw
UseClientAuth SwitchParameter False Cw
Instance String None ACTW
ClientId String None ACTW
ClientSecret String None ACTW
Scopes String[] None actw
RedirectURL Uri None aw
Port Int32 9090 aw
RefreshToken String None tw
ShowTokens SwitchParameter False act
UseSecretManagement SwitchParameter False RWact
VaultName String None RWact
WriteToSecretVault SwitchParameter False Wacrt
ReadFromSecretVault SwitchParameter False r
SecretPrefix String NinjaOne rw
ParseDateTimes SwitchParameter False acrtw`, "\n")
	var got []string
	for _, p := range table.Parameters {
		var sets []string
		for _, set := range p.Sets {
			initial := initials[set.Name]
			if set.Mandatory {
				initial = strings.ToUpper(initial)
			}
			sets = append(sets, initial)
		}
		slices.Sort(sets)
		got = append(got, strings.Join([]string{p.Name, p.Type, p.Default, strings.Join(sets, "")}, " "))
		if len(p.Help) < 20 {
			t.Errorf("-%s has no help", p.Name)
		}
	}
	if table.DefaultParameterSet != "Authorisation Code" || !slices.Equal(got, want) {
		t.Errorf("default set %q, parameters\n%s\nwant\n%s", table.DefaultParameterSet, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
