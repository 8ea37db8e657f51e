package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.secrets = append(m.secrets, "hunter2")
	for name, test := range map[string]struct{ input, id, word string }{
		"nothing":                     {"", "EmptyRequest", "no request"},
		"an empty line":               {"\r\n", "EmptyRequest", "no request"},
		"text":                        {"Connect-NinjaOne hunter2\n", "MalformedRequest", "not one JSON object"},
		"half a request":              {`{"parameters":{"ClientSecret":"hunter2"`, "MalformedRequest", "not one JSON object"},
		"half a request in lines":     {"{\n  \"parameters\": {\"ClientSecret\":\n\"hunter2\"\n", "MalformedRequest", "not one JSON object"},
		"two requests in lines":       {"{\n}\n{\n}\n", "MalformedRequest", "not one JSON object"},
		"a conversation in lines":     {"{\n\"caller\": {\"streams\": [\"verbose\"]}\n}\n", "MalformedRequest", "jq -c"},
		"2 MiB in lines":              {"{\"parameters\":\n" + strings.Repeat("\n", 2<<20), "RequestTooLong", "1 MiB"},
		"a number":                    {"17\n", "MalformedRequest", "not an object"},
		"null":                        {"null\n", "MalformedRequest", "not an object"},
		"an array":                    {"[]\n", "MalformedRequest", "not an object"},
		"two requests in a line":      {"{}{}\n", "MalformedRequest", "not one JSON object"},
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
		"a damaged session":           {`{"parameters":{"ClientId":"id"},"session":{"connection":{"ClientId":"id","ClientSecret":["hunter2"]}}}`, "MalformedRequest", "ClientSecret can't be of the type array"},
		"no parameters":               {`{"version":1}`, "MissingMandatoryParameter", "UseWebAuth Instance ClientId ClientSecret"},
		"a parameter twice":           {`{"parameters":{"ClientSecret":"a","clientsecret":"hunter2"}}`, "ParameterAlreadyBound", "ClientSecret"},
		"an unknown parameter":        {`{"parameters":{"UseClientAuth":true,"M\u00fcller\u001b[31m":1}}`, "NamedParameterNotFound", "Müller"},
		"a parameter of a wrong type": {`{"parameters":{"ClientSecret":{"password":"hunter2"}}}`, "ParameterArgumentTransformationError", "ClientSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			m.answerTo(test.input).hasFailed(t, test.id, test.word)
		})
	}
	m.requested(0)
}

func TestLenientInput(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	app := m.app(standin.App{ClientID: "Müller-𝄞", ClientSecret: "schlüssel 𝄞"})
	line := `{"parameters":{"instance":"eu","CLIENTID":"Müller-𝄞","ClientSecret":"schlüssel \ud834\udd1e","UseClientAuth":true},"new":{"field":[1]}`
	for name, input := range map[string]string{
		"LF": line + "}\n", "CRLF": line + "}\r\n", "no line end": line + "}", "a byte-order mark": "\ufeff" + line + "}\n",
		"several lines": strings.ReplaceAll(line, ",", ",\r\n  ") + "\n}\n", "a bracket a line": "\ufeff{\n" + line[1:] + "\n}",
		"something after it": line + "}\nmore\n", "version and session null": line + `,"version":null,"session":null,"caller":null}`,
		"900 KiB": line + `,"padding":"` + strings.Repeat("x", 900<<10) + `"}`,
	} {
		c := m.answerTo(input).succeeded(t).Connection
		equal(t, name, []string{c.ClientID, c.ClientSecret}, []string{app.ClientID, app.ClientSecret})
	}
	m.answerTo(`{"parameters":{"Instance":"oc","ClientId":"Müller-𝄞","ClientSecret":"x","UseClientAuth":true}}`).
		hasFailed(t, "InvalidClient", "Müller-𝄞")
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
		_ = command.Run()
		write.Close()
		equal(t, "exit status "+name, command.ProcessState.ExitCode(), 1)
	}
}

// Only a shell starts a program without a stdin.
func TestClosedStdin(t *testing.T) {
	command := newMachine(t).command("-c", `exec "$0" connect <&-`, binary)
	command.Path = need.Command(t, "sh", "any Linux has it")
	output, _ := command.Output()
	if command.ProcessState.ExitCode() != 1 || !strings.Contains(string(output), `"EmptyRequest"`) {
		t.Errorf("exit status %d: %s", command.ProcessState.ExitCode(), output)
	}
}

// Nobody would get the answer, so nothing is asked for; to drop it is another thing.
func TestClosedStdoutOfAShell(t *testing.T) {
	m := newMachine(t)
	input, err := json.Marshal(request{Parameters: asClient(m.app(standin.App{}))})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		redirection      string
		status, requests int
	}{{">&-", 1, 0}, {">/dev/null", 0, 1}} {
		command := m.command("-c", `exec "$0" connect `+test.redirection, binary)
		command.Path = need.Command(t, "sh", "any Linux has it")
		var stderr strings.Builder
		command.Stdin, command.Stderr = bytes.NewReader(input), &stderr
		_ = command.Run()
		equal(t, "exit status of "+test.redirection, command.ProcessState.ExitCode(), test.status)
		if (test.status == 1) != strings.Contains(stderr.String(), "stdout is closed") {
			t.Errorf("%s: %q", test.redirection, stderr.String())
		}
		m.requested(test.requests)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, test := range []struct {
		arguments      []string
		status         int
		stdout, stderr string
	}{
		{[]string{"version"}, 0, "ninjaone-auth dev (conversation 1, go", ""},
		{[]string{"--help"}, 0, "Signs in to NinjaOne", ""},
		{[]string{"sign-in"}, 2, "", "--help"},
		{[]string{"connect", "--client-secret", "x"}, 2, "", "--help"},
		{[]string{"version", "please"}, 2, "", "--help"},
	} {
		r := m.runs(test.status, test.arguments...)
		if !strings.Contains(r.stdout, test.stdout) || !strings.Contains(r.stderr, test.stderr) || test.stderr == "" && r.stderr != "" {
			t.Errorf("%v printed %+v", test.arguments, r)
		}
	}
}

func TestUsageAtATerminal(t *testing.T) {
	t.Parallel()
	script := need.Command(t, "script", "apt-get install bsdutils")
	for _, arguments := range []string{"", " connect"} {
		command := newMachine(t).command("-qec", binary+arguments, "/dev/null")
		command.Path = script
		output, err := command.Output()
		if err != nil || !strings.Contains(string(output), "Usage: ninjaone-auth") {
			t.Errorf("%v: %s", err, output)
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
