package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

// stderr shows warnings, and with --verbose what is done.
type stderr struct {
	out     io.Writer
	verbose bool
}

func (s stderr) Write(stream report.Stream, message string) {
	if stream == report.WarningStream || stream == report.VerboseStream && s.verbose {
		fmt.Fprintf(s.out, "%s: %s\n", stream, message)
	}
}

func (stderr) Progress(report.Progress) {}
func (stderr) Pending(time.Duration)    {}

// storedName names a session in the keyring.
type storedName struct {
	Prefix  string `default:"${prefix}" placeholder:"PREFIX" help:"The -SecretPrefix with which the session was stored (default: ${prefix})."`
	Verbose bool   `short:"v" help:"Say on stderr what is done."`
}

func (n storedName) name(of string) vault.Name { return vault.NewName(of, n.Prefix) }

type tokenCommand struct {
	Vault string `required:"" placeholder:"NAME" help:"The -VaultName with which the session was stored."`
	storedName
	JSON bool `name:"json" help:"Print the token with its type, expiry and URL as JSON."`
}

// Run prints the access token of a stored session, renewed if it has run out.
func (t tokenCommand) Run(ctx context.Context, std standard) error {
	s, err := connect.Restore(ctx, t.name(t.Vault), connect.Caller{Sink: stderr{std.err, t.Verbose}})
	if err != nil {
		return err
	}
	if !t.JSON {
		_, err = fmt.Fprintln(std.out, s.Authentication.Access)
		return err
	}
	return printJSON(std, map[string]any{
		"url": s.Connection.URL, "type": s.Authentication.Type, "access": s.Authentication.Access, "expires": s.Authentication.Expires,
	})
}

type vaultCommands struct {
	List   vaultListCommand   `cmd:"" help:"List the stored sessions."`
	Show   vaultShowCommand   `cmd:"" help:"Show a stored session without its secrets."`
	Remove vaultRemoveCommand `cmd:"" help:"Remove a stored session."`
}

type vaultListCommand struct{}

// Run lists the sessions in the keyring.
func (vaultListCommand) Run(ctx context.Context, std standard) error {
	all, err := vault.List(ctx, stderr{out: std.err})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(std.err, "The keyring holds no session. "+vault.Elsewhere)
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VAULT\tPREFIX\tINSTANCE\tCLIENT ID\tAUTH MODE\tEXPIRES")
	for _, s := range all {
		c := s.Session.Connection
		expires := s.Session.Authentication.Expires.Format(time.RFC3339)
		if s.Problem != "" {
			expires = s.Problem
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", shown(s.Name.Vault), shown(s.Name.Prefix), shown(c.Instance), shown(c.ClientID), shown(string(c.AuthMode)), expires)
	}
	return table.Flush()
}

func shown(text string) string { return failure.Clean(text) }

type vaultShowCommand struct {
	Vault string `arg:"" help:"The -VaultName with which the session was stored."`
	storedName
}

// Run shows a session as JSON; of a secret only whether it is there.
func (v vaultShowCommand) Run(ctx context.Context, std standard) error {
	s, err := vault.NewKeyring(v.name(v.Vault), stderr{std.err, v.Verbose}).Load(ctx)
	if err != nil {
		return err
	}
	s.Connection.ClientSecret = masked(s.Connection.ClientSecret)
	s.Authentication.Access = masked(s.Authentication.Access)
	s.Authentication.Refresh = session.Optional(masked(string(s.Authentication.Refresh)))
	return printJSON(std, s)
}

func masked(secret string) string {
	if secret == "" {
		return ""
	}
	return "(stored)"
}

type vaultRemoveCommand struct {
	Vault string `arg:"" help:"The -VaultName with which the session was stored."`
	storedName
}

// Run removes a session from the keyring.
func (v vaultRemoveCommand) Run(ctx context.Context, std standard) error {
	if err := vault.NewKeyring(v.name(v.Vault), stderr{std.err, v.Verbose}).Remove(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(std.out, "Removed the session of vault %q.\n", v.Vault)
	return err
}
