package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

type loginCommand struct {
	Instance string `required:"" enum:"${instances}" placeholder:"NAME" help:"The NinjaOne instance: ${instances}."`
	ClientID string `name:"client-id" required:"" placeholder:"ID" help:"The client id of the application configured in NinjaOne."`

	Web    bool `xor:"flow" group:"flow" help:"Sign in with the browser: the default in a terminal."`
	Client bool `xor:"flow" group:"flow" help:"Client credentials, for jobs that nobody watches."`
	Token  bool `xor:"flow" group:"flow" help:"A refresh token: the default if one is given."`

	ClientSecretFile string `group:"secrets" predictor:"path" placeholder:"PATH" help:"A file with the client secret that only this user can read; - is stdin. Else NINJAONE_CLIENT_SECRET, else a question in the terminal."`
	RefreshTokenFile string `group:"secrets" predictor:"path" placeholder:"PATH" help:"Likewise with the refresh token. Else NINJAONE_REFRESH_TOKEN."`

	Scope       []string `placeholder:"SCOPE" help:"The scopes to ask for (default: monitoring, management and control, and offline_access unless --client)."`
	Port        int      `placeholder:"PORT" help:"The port of this machine to which the browser comes back (default: 9090)."`
	RedirectURL string   `name:"redirect-url" placeholder:"URL" help:"The redirect URI, to the letter as it is registered in NinjaOne (default: http://localhost:PORT/)."`
	storedName
	JSON bool `name:"json" help:"Print the session, without its secrets, as JSON."`
	verbosely
}

// Examples are for the help.
func (loginCommand) Examples() string {
	return `# With the browser; the client secret is asked for
ninjaone-auth login --instance eu --client-id ID
# For a job, from a file or a password manager
ninjaone-auth login --instance eu --client-id ID --client --client-secret-file secret.txt
pass show ninjaone | ninjaone-auth login --instance eu --client-id ID --client --client-secret-file -`
}

// environmentSecrets are the secrets that came in the environment.
type environmentSecrets struct{ client, refreshToken string }

const (
	clientSecretVariable = "NINJAONE_CLIENT_SECRET"
	refreshTokenVariable = "NINJAONE_REFRESH_TOKEN"
)

// takeSecrets takes them out of the environment, so that no child process gets them.
func takeSecrets() environmentSecrets {
	taken := environmentSecrets{os.Getenv(clientSecretVariable), os.Getenv(refreshTokenVariable)}
	os.Unsetenv(clientSecretVariable)
	os.Unsetenv(refreshTokenVariable)
	return taken
}

// Run is a Connect-NinjaOne that stores its session in the keyring.
func (l loginCommand) Run(ctx context.Context, std standard) error {
	arguments, err := l.arguments(ctx, std)
	if err != nil {
		return err
	}
	screen := newStderr(std, l.Verbose)
	_, s, err := connect.Connect(ctx, arguments, nil, connect.Caller{Sink: screen, SeesMessages: true, SignsIn: true})
	if err != nil {
		return inFlags(err)
	}
	// What can't be stored is a warning to the cmdlet, which has the session then; nobody has it here.
	store := vault.NewKeyring(l.name(), report.Silent{})
	if stored, err := store.Load(context.WithoutCancel(ctx)); err != nil || stored.Authentication.Access != s.Authentication.Access {
		return notKept(store)
	}
	fmt.Fprintf(std.err, "Signed in to %s. The session is stored as '%s' in %s.\nIts access token is valid until %s; %s.\n",
		strings.TrimPrefix(s.Connection.URL, "https://"), shown(l.Vault), store, s.Authentication.Expires.Local().Format(time.DateTime), renewal(s))
	if l.JSON {
		return printJSON(std, factsOf(l.name(), s))
	}
	return nil
}

func renewal(s session.Session) string {
	if s.Renewable() {
		return "'ninjaone-auth token' renews it"
	}
	return "sign in again then"
}

func notKept(store fmt.Stringer) error {
	return &failure.Error{
		ID: failure.SecretNotStored, Target: store.String(),
		Message:        fmt.Sprintf("The sign-in succeeded, but its session is not in %s, as the warning above says.", store),
		Recommendation: "Put that right and sign in again.",
	}
}

// arguments are those of the Connect-NinjaOne that the flags mean.
func (l loginCommand) arguments(ctx context.Context, std standard) ([]paramsets.Argument, error) {
	if l.ClientSecretFile == "-" && l.RefreshTokenFile == "-" {
		return nil, usageError("stdin can hold one of the client secret and the refresh token only")
	}
	refreshToken, err := secretFrom(ctx, std, l.RefreshTokenFile, std.secrets.refreshToken, "Refresh token")
	if err != nil {
		return nil, err
	}
	flow := l.flow(refreshToken, isTerminal(std.err))
	switch {
	case flow == "":
		return nil, usageError("say how to sign in: --web, --client, or --token with --refresh-token-file")
	case flow == "UseTokenAuth" && refreshToken == "":
		return nil, usageError("--token needs --refresh-token-file PATH or " + refreshTokenVariable)
	case flow != "UseTokenAuth":
		refreshToken = ""
	}
	secret, err := secretFrom(ctx, std, l.ClientSecretFile, std.secrets.client, "Client secret")
	if err == nil && secret == "" && isTerminal(std.in) && l.ClientSecretFile == "" {
		secret, err = ask(ctx, std, "Client secret")
	}
	switch {
	case err != nil:
		return nil, err
	case secret == "":
		return nil, usageError("the client secret is missing or empty: give --client-secret-file PATH, - for stdin, or " + clientSecretVariable)
	}
	return l.request(flow, secret, refreshToken), nil
}

// flow is the cmdlet's switch, "" if nothing says how to sign in.
func (l loginCommand) flow(refreshToken string, terminal bool) string {
	switch {
	case l.Client:
		return "UseClientAuth"
	case l.Token, !l.Web && refreshToken != "":
		return "UseTokenAuth"
	case l.Web, terminal:
		return "UseWebAuth"
	}
	return ""
}

// request has a parameter for each flag that was given.
func (l loginCommand) request(flow, secret, refreshToken string) (arguments []paramsets.Argument) {
	for _, parameter := range []struct {
		name  string
		value any
		given bool
	}{
		{flow, true, true},
		{"Instance", l.Instance, true},
		{"ClientId", l.ClientID, true},
		{"ClientSecret", secret, true},
		{"RefreshToken", refreshToken, refreshToken != ""},
		{"Scopes", l.Scope, len(l.Scope) > 0},
		{"Port", l.Port, l.Port != 0},
		{"RedirectURL", l.RedirectURL, l.RedirectURL != ""},
		{"UseSecretManagement", true, true},
		{"WriteToSecretVault", true, true},
		{"VaultName", l.Vault, true},
		{"SecretPrefix", l.Prefix, true},
	} {
		if parameter.given {
			value, _ := json.Marshal(parameter.value) // of strings, numbers and booleans
			arguments = append(arguments, paramsets.Argument{Name: parameter.name, Value: value})
		}
	}
	return arguments
}

const longestSecret = 64 << 10 // bytes

// secretFrom reads a secret from a file, from stdin for -, or else takes that of the environment. One line end is dropped.
func secretFrom(ctx context.Context, std standard, path, fromEnvironment, what string) (string, error) {
	var text []byte
	var err error
	switch {
	case path == "":
		return fromEnvironment, nil
	case path == "-" && isTerminal(std.in):
		return ask(ctx, std, what)
	case path == "-":
		text, err = io.ReadAll(io.LimitReader(std.in, longestSecret))
	default:
		text, err = keyring.ReadPrivate(path)
	}
	if err != nil {
		return "", usageError(fmt.Sprintf("the %s can't be read: %s", strings.ToLower(what), failure.Reason(err)))
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
