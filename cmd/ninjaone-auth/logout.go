package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/vault"
)

type logoutCommand struct {
	storedName
	All  bool `help:"Remove all sessions in the keyring."`
	Yes  bool `short:"y" help:"Ask nothing before --all."`
	JSON bool `name:"json" help:"Print what was removed as JSON."`
	verbosely
}

// Examples are for the help.
func (logoutCommand) Examples() string {
	return `ninjaone-auth logout --vault Jobs
ninjaone-auth logout --all --yes`
}

// Run removes a session, or all. NinjaOne goes on accepting the access tokens until they run out.
func (l logoutCommand) Run(ctx context.Context, std standard) error {
	if !l.All {
		if err := removeSession(ctx, std, l.name(), l.Verbose); err != nil {
			return inFlags(err)
		}
		return l.report(std, []vault.Name{l.name()})
	}
	all, err := vault.List(ctx, newStderr(std, l.Verbose))
	switch {
	case err != nil:
		return inFlags(err)
	case len(all) == 0:
		fmt.Fprintln(std.err, "The keyring holds no session.")
	case l.Yes:
	case !isTerminal(std.in):
		return usageError("logout --all asks before it removes anything, which needs a terminal: add --yes")
	default:
		if yes, err := confirm(ctx, std, fmt.Sprintf("Remove all sessions in the keyring (%d)?", len(all))); !yes {
			return err
		}
	}
	names := []vault.Name{}
	for _, stored := range all {
		if err := stored.Remove(ctx, newStderr(std, l.Verbose)); err != nil && !failure.Is(err, failure.SessionNotStored) {
			return inFlags(err)
		}
		fmt.Fprintln(std.err, removed(stored.Name))
		names = append(names, stored.Name)
	}
	return l.report(std, names)
}

// report prints the names of the removed sessions for --json.
func (l logoutCommand) report(std standard, names []vault.Name) error {
	if !l.JSON {
		return nil
	}
	return printJSON(std, map[string]any{"removed": names})
}

func removeSession(ctx context.Context, std standard, name vault.Name, verbose bool) error {
	if err := vault.NewKeyring(name, newStderr(std, verbose)).Remove(ctx); err != nil {
		return err
	}
	fmt.Fprintln(std.err, removed(name))
	return nil
}

func removed(name vault.Name) string {
	if name.Vault == "" {
		return "Removed a session that could not be read."
	}
	return shown(fmt.Sprintf("Removed the session of vault '%s', prefix '%s'.", name.Vault, name.Prefix))
}

// confirm asks a question at the terminal; everything but y or yes is a no.
func confirm(ctx context.Context, std standard, question string) (bool, error) {
	fmt.Fprintf(std.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(std.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		return line == "y" || line == "yes", nil
	case <-ctx.Done():
		fmt.Fprintln(std.err)
		return false, failure.Interruption(ctx.Err())
	}
}
