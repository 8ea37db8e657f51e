// Command ninjaone-auth is the engine of the PowerShell cmdlet Connect-NinjaOne: it signs in to NinjaOne.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/session"
)

// commandLine is the whole of it, in the order of the help.
type commandLine struct {
	Login      loginCommand      `cmd:"" group:"session" help:"Sign in to NinjaOne and keep the session in the keyring."`
	Token      tokenCommand      `cmd:"" group:"session" help:"Print a valid access token of a session, renewed if need be."`
	Logout     logoutCommand     `cmd:"" group:"session" help:"Remove a session, or all of them, from the keyring."`
	Status     statusCommand     `cmd:"" group:"look" help:"Show the sessions, and which NinjaOne modules use this program."`
	Vault      vaultCommands     `cmd:"" group:"look" help:"Look at the sessions in the keyring."`
	Doctor     doctorCommand     `cmd:"" group:"look" help:"Find out why something does not work on this machine."`
	Install    installCommand    `cmd:"" group:"module" help:"Have the PowerShell module NinjaOne use this program."`
	Uninstall  uninstallCommand  `cmd:"" group:"module" help:"Take this program out of the module again."`
	Connect    connectCommand    `cmd:"" group:"program" help:"Carry out one Connect-NinjaOne: a request as JSON on stdin, the session as one line of it on stdout."`
	Parameters parametersCommand `cmd:"" group:"program" help:"Print Connect-NinjaOne's parameters and parameter sets as JSON."`
	Completion completionCommand `cmd:"" group:"about" help:"Print the script that completes the command line in a shell."`
	Help       helpCommand       `cmd:"" group:"about" help:"Show the help of a command."`
	Version    versionCommand    `cmd:"" group:"about" help:"Print the version."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Say what a shell's line can be completed to."`
	Man        manCommand        `cmd:"" hidden:"" help:"Print the man page."`
	Keyring    keyringCommand    `cmd:"" hidden:"" help:"Work with the keyring for a parent process."`

	PrintVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

// groups are those of the help.
var groups = []kong.Group{
	{Key: "session", Title: "Sessions:"},
	{Key: "look", Title: "Looking into things:"},
	{Key: "module", Title: "The module NinjaOne:"},
	{Key: "program", Title: "For programs:"},
	{Key: "flow", Title: "How to sign in:"},
	{Key: "secrets", Title: "Secrets, which are never arguments:"},
	{Key: "about", Title: "About ninjaone-auth:"},
}

// Exit statuses (docs/commands.md; connect has the first three of them only, as docs/conversation.md says).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 and SIGINT, as a shell has it
)

// standard is what the process was started with.
type standard struct {
	in       *os.File
	out, err *os.File
	secrets  environmentSecrets
	// environment is that with which the process was started, which is not what its children get.
	environment []string
}

// exitStatus is set by a command that has told its failure already.
type exitStatus int

// usageError is a command line that can't be carried out, found out after kong has parsed it.
type usageError string

func (u usageError) Error() string { return string(u) }

func main() {
	environment := os.Environ()
	keyring.PrepareEnvironment()
	std := standard{os.Stdin, os.Stdout, os.Stderr, takeSecrets(), environment}
	// On Windows these are Ctrl+C and Ctrl+Break, and closing the console and logging off.
	ending := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ending = append(ending, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	// A caller that stops reading must not end the process while a new token is not stored yet.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], std))
}

func run(ctx context.Context, arguments []string, std standard) int {
	helped, status := -1, exitStatus(exitOK)
	parser, err := kong.New(&commandLine{},
		kong.Name("ninjaone-auth"),
		kong.Description(description),
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { helped = code }),
		kong.Help(printHelp),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 120}),
		kong.ExplicitGroups(groups),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std, &status),
		kong.Vars{"prefix": session.DefaultSecretPrefix, "vault": defaultVault, "instances": strings.Join(session.Instances, ","), "version": versionText()},
	)
	if err != nil {
		fmt.Fprintln(std.err, "ninjaone-auth:", err)
		return exitFailed
	}
	command, err := parser.Parse(askingForHelp(arguments))
	var unparsed *kong.ParseError
	if errors.As(err, &unparsed) {
		command = unparsed.Context
	}
	switch {
	case helped >= 0: // --help or --version
		return helped
	case err != nil:
		return misused(std.err, command, err)
	}
	if path := command.Command(); (path == "connect" || path == "token") && isClosed(os.Stdout) {
		fmt.Fprintln(std.err, "ninjaone-auth: stdout is closed (or is /dev/null, open for reading too), so the answer would be lost. Nothing was done.")
		return exitFailed
	}
	err = command.Run()
	var misuse usageError
	switch {
	case err == nil:
		return int(status)
	case errors.As(err, &misuse):
		return misused(std.err, command, misuse)
	}
	fmt.Fprint(std.err, told(err))
	if failure.Is(err, failure.Interrupted) {
		return exitInterrupted
	}
	return exitFailed
}

// misused tells what is wrong with a command line, and where to read on.
func misused(stderr io.Writer, command *kong.Context, err error) int {
	path := "ninjaone-auth"
	if command != nil && command.Selected() != nil {
		path = command.Selected().FullPath()
	}
	fmt.Fprintf(stderr, "ninjaone-auth: %v\nRun '%s --help' for what it takes.\n", err, path)
	return exitUsage
}
