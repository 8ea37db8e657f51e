// Command ninjaone-auth is the engine of the PowerShell cmdlet Connect-NinjaOne: it signs in to NinjaOne.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/session"
)

// commandLine is the whole of it; what a sign-in needs comes as JSON on stdin.
type commandLine struct {
	Connect    connectCommand    `cmd:"" default:"1" help:"Carry out one Connect-NinjaOne: a request as JSON on stdin, the session as one line of it on stdout."`
	Token      tokenCommand      `cmd:"" help:"Print a valid access token from the keyring, for shell scripts."`
	Vault      vaultCommands     `cmd:"" help:"Look after the sessions in the keyring."`
	Install    installCommand    `cmd:"" help:"Have the PowerShell module NinjaOne use this program."`
	Uninstall  uninstallCommand  `cmd:"" help:"Take this program out of the module again."`
	Status     statusCommand     `cmd:"" help:"Show which modules use this program."`
	Parameters parametersCommand `cmd:"" help:"Print Connect-NinjaOne's parameters and parameter sets as JSON."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Keyring    keyringCommand    `cmd:"" hidden:"" help:"Work with the keyring for a parent process."`
}

// Exit statuses (docs/conversation.md).
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// standard is what the process was started with.
type standard struct {
	in       *os.File
	out, err io.Writer
}

// exitStatus is set by a command that has told its failure already.
type exitStatus int

func main() {
	keyring.PrepareEnvironment()
	// On Windows these are Ctrl+C and Ctrl+Break, and closing the console and logging off.
	ending := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ending = append(ending, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	// A caller that stops reading must not end the process while a new token is not stored yet.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], standard{os.Stdin, os.Stdout, os.Stderr}))
}

func run(ctx context.Context, arguments []string, std standard) int {
	helped, status := -1, exitStatus(exitOK)
	parser, err := kong.New(&commandLine{},
		kong.Name("ninjaone-auth"),
		kong.Description("Signs in to NinjaOne for the PowerShell cmdlet Connect-NinjaOne and for shell scripts."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { helped = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, &status),
		kong.Vars{"prefix": session.DefaultSecretPrefix},
	)
	if err != nil {
		fmt.Fprintln(std.err, "ninjaone-auth:", err)
		return exitFailed
	}
	command, err := parser.Parse(arguments)
	switch {
	case helped >= 0: // --help
		return helped
	case err != nil:
		fmt.Fprintf(std.err, "ninjaone-auth: %v\nRun 'ninjaone-auth --help' for the commands.\n", err)
		return exitUsage
	}
	if path := command.Command(); (path == "connect" || path == "token") && isClosed(os.Stdout) {
		fmt.Fprintln(std.err, "ninjaone-auth: stdout is closed (or is /dev/null, open for reading too), so the answer would be lost. Nothing was done.")
		return exitFailed
	}
	if err := command.Run(); err != nil {
		fmt.Fprint(std.err, told(err))
		return exitFailed
	}
	return int(status)
}
