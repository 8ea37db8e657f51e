package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

type vaultCommands struct {
	List   vaultListCommand   `cmd:"" help:"List the stored sessions."`
	Show   vaultShowCommand   `cmd:"" help:"Show a stored session without its secrets."`
	Remove vaultRemoveCommand `cmd:"" hidden:"" help:"Remove a stored session for Disconnect-NinjaOne."`
}

// sessionFacts are a stored session without its secrets, as JSON has it (docs/commands.md).
type sessionFacts struct {
	Vault     string       `json:"vault"`
	Prefix    string       `json:"prefix"`
	Instance  string       `json:"instance"`
	URL       string       `json:"url"`
	ClientID  string       `json:"clientId"`
	AuthMode  session.Mode `json:"authMode"`
	Scopes    []string     `json:"scopes"`
	Expires   time.Time    `json:"expires"`
	Valid     bool         `json:"valid"`
	Renewable bool         `json:"renewable"`
	Problem   string       `json:"problem"`
}

func factsOf(name vault.Name, s session.Session) sessionFacts {
	return factsOfStored(vault.Stored{Name: name, Session: s, Renewable: s.Renewable()})
}

func factsOfStored(stored vault.Stored) sessionFacts {
	c := stored.Session.Connection
	return sessionFacts{
		Vault: stored.Name.Vault, Prefix: stored.Name.Prefix, Instance: c.Instance, URL: c.URL, ClientID: c.ClientID, AuthMode: c.AuthMode,
		Scopes: append([]string{}, c.Scopes()...), Expires: stored.Session.Authentication.Expires,
		Valid: stored.Problem == "" && time.Until(stored.Session.Authentication.Expires) > 0, Renewable: stored.Renewable && stored.Problem == "",
		Problem: stored.Problem,
	}
}

// listSessions are those in the keyring.
func listSessions(ctx context.Context, sink report.Sink) ([]sessionFacts, error) {
	stored, err := vault.List(ctx, sink)
	all := []sessionFacts{}
	for _, one := range stored {
		all = append(all, factsOfStored(one))
	}
	return all, err
}

var sessionHead = []string{"VAULT", "PREFIX", "INSTANCE", "CLIENT ID", "AUTH MODE", "VALID UNTIL", "RENEWABLE", "SCOPES"}

func (s sessionFacts) row() []string {
	until, renewable := s.Expires.Format(time.RFC3339), "no"
	switch {
	case s.Problem != "":
		until = s.Problem
	case !s.Valid:
		until += " (run out)"
	}
	if s.Renewable {
		renewable = "yes"
	}
	row := []string{s.Vault, s.Prefix, s.Instance, s.ClientID, string(s.AuthMode), until, renewable, strings.Join(s.Scopes, " ")}
	for i := range row {
		row[i] = shown(row[i])
	}
	return row
}

// printSessions prints the table of sessions, and on stderr what to do if there is none.
func printSessions(std standard, all []sessionFacts) error {
	if len(all) == 0 {
		fmt.Fprintln(std.err, "The keyring holds no session: sign in with 'ninjaone-auth login'. "+vault.Elsewhere)
	}
	var rows [][]string
	for _, s := range all {
		rows = append(rows, s.row())
	}
	return printTable(std, sessionHead, rows)
}

type vaultListCommand struct {
	JSON bool `name:"json" help:"Print an array of objects as JSON."`
}

// Run lists the sessions in the keyring.
func (v vaultListCommand) Run(ctx context.Context, std standard) error {
	all, err := listSessions(ctx, newStderr(std, false))
	switch {
	case err != nil:
		return inFlags(err)
	case v.JSON:
		return printJSON(std, all)
	}
	return printSessions(std, all)
}

// argumentName is a storedName whose vault is an argument.
type argumentName struct {
	Vault  string `arg:"" optional:"" default:"${vault}" help:"The session's name, the cmdlet's -VaultName (default: ${vault})."`
	Prefix string `default:"${prefix}" placeholder:"PREFIX" help:"The cmdlet's -SecretPrefix (default: ${prefix})."`
}

func (n argumentName) name() vault.Name { return vault.NewName(n.Vault, n.Prefix) }

type vaultShowCommand struct {
	argumentName
	JSON bool `name:"json" help:"Print an object as JSON."`
	verbosely
}

// Run shows a session, of its secrets none.
func (v vaultShowCommand) Run(ctx context.Context, std standard) error {
	s, err := vault.NewKeyring(v.name(), newStderr(std, v.Verbose)).Load(ctx)
	if err != nil {
		return inFlags(err)
	}
	facts := factsOf(v.name(), s)
	if v.JSON {
		return printJSON(std, facts)
	}
	_, err = fmt.Fprint(std.out, records(sessionHead, [][]string{facts.row()}))
	return err
}

type vaultRemoveCommand struct {
	argumentName
	verbosely
}

// Run removes a session as logout does, for the module NinjaOneAuth, which speaks of the cmdlet's parameters.
func (v vaultRemoveCommand) Run(ctx context.Context, std standard) error {
	return removeSession(ctx, std, v.name(), v.Verbose)
}
