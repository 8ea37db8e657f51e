package main

import (
	"context"
	"fmt"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/vault"
)

// defaultVault is the session's name where none is given.
const defaultVault = "NinjaOne"

// storedName names a session in the keyring.
type storedName struct {
	Vault  string `default:"${vault}" placeholder:"NAME" help:"The session's name, the cmdlet's -VaultName (default: ${vault})."`
	Prefix string `default:"${prefix}" placeholder:"PREFIX" help:"The cmdlet's -SecretPrefix (default: ${prefix})."`
}

func (n storedName) name() vault.Name { return vault.NewName(n.Vault, n.Prefix) }

// verbosely is for commands that take their time.
type verbosely struct {
	Verbose bool `short:"v" help:"Say on stderr what is done."`
}

type tokenCommand struct {
	storedName
	Header bool `xor:"form" help:"Print it as a header, for curl -H @-."`
	JSON   bool `name:"json" xor:"form" help:"Print the token with its type, expiry and URL as JSON."`
	verbosely
}

// Examples are for the help.
func (tokenCommand) Examples() string {
	return `# The token reaches curl through a pipe, where no other user sees it
ninjaone-auth token --header | curl -H @- https://eu.ninjarmm.com/v2/organizations
# The session that Connect-NinjaOne has stored under -VaultName Jobs in the keyring
ninjaone-auth token --vault Jobs --json`
}

// Run prints the access token of a stored session, renewed if it has run out.
func (t tokenCommand) Run(ctx context.Context, std standard) error {
	s, err := connect.Restore(ctx, t.name(), connect.Caller{Sink: newStderr(std, t.Verbose)})
	if err != nil {
		return inFlags(err)
	}
	switch {
	case t.JSON:
		return printJSON(std, map[string]any{
			"url": s.Connection.URL, "type": s.Authentication.Type, "access": s.Authentication.Access, "expires": s.Authentication.Expires,
		})
	case t.Header:
		_, err = fmt.Fprintf(std.out, "Authorization: %s %s\n", s.Authentication.Type, s.Authentication.Access)
	default:
		_, err = fmt.Fprintln(std.out, s.Authentication.Access)
	}
	return err
}
