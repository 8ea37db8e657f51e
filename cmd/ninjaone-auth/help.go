package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const description = "Signs in to NinjaOne, for shell scripts and for the PowerShell cmdlet Connect-NinjaOne."

const exitStatuses = "0 done, 1 failed, 2 wrong command line, 130 interrupted by Ctrl+C or a signal."

const environmentHelp = `NINJAONE_AUTH_VAULT_BACKEND chooses the keyring, and NINJAONE_AUTH_VAULT_PASSPHRASE_FILE opens the encrypted one. ` +
	`NINJAONE_CLIENT_SECRET and NINJAONE_REFRESH_TOKEN are login's; files are safer. NINJAONE_AUTH_SIGNIN_TIMEOUT is how long a sign-in waits for the ` +
	`browser, and BROWSER the command that opens one. HTTPS_PROXY and NO_PROXY are the proxy and the hosts that need none.`

// exampled is a command that has examples for its help, one a line, a comment above each.
type exampled interface{ Examples() string }

// Examples are those of the program.
func (commandLine) Examples() string {
	return `# Sign in with the browser, once
ninjaone-auth login --instance eu --client-id ID
# Ask NinjaOne something
ninjaone-auth token --header | curl -H @- https://eu.ninjarmm.com/v2/organizations
# A job that nobody watches
ninjaone-auth login --instance eu --client-id ID --client --client-secret-file secret.txt`
}

// printHelp is kong's help, and after it what is read last.
func printHelp(options kong.HelpOptions, command *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, command); err != nil {
		return err
	}
	selected := command.Selected()
	if selected == nil {
		selected = command.Model.Node
	}
	if examples := examplesOf(selected); examples != "" {
		fmt.Fprintf(command.Stdout, "\nExamples:\n  %s\n", strings.ReplaceAll(examples, "\n", "\n  "))
	}
	if selected == command.Model.Node {
		fmt.Fprintf(command.Stdout, "\nExit status: %s\n", exitStatuses)
	}
	return nil
}

func examplesOf(node *kong.Node) string {
	if command, ok := node.Target.Interface().(exampled); ok {
		return command.Examples()
	}
	return ""
}

// helpCommand stands in the help and in completions; askingForHelp does what it says.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command, such as 'vault list'."`
}

// askingForHelp writes the command help, and no command at all, as the flag that kong knows.
func askingForHelp(arguments []string) []string {
	switch {
	case len(arguments) == 0:
		return []string{"--help"}
	case arguments[0] == "help":
		return append(slices.Clone(arguments[1:]), "--help")
	}
	return arguments
}
