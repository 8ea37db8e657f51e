package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/pkg/wire"
)

// status is the exit status of a command; a failure that was not answered yet goes to stderr.
func status(std standard, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errAnswered):
	case !errors.As(err, new(*failure.Error)) && errors.As(err, new(*fs.PathError)): // stdout
		fmt.Fprintln(std.err, "ninjaone-auth:", err)
	default:
		failed := failure.From(err)
		fmt.Fprintf(std.err, "ninjaone-auth: %s (%s)\n%s\n", failed.Message, failed.ID, failed.Recommendation)
	}
	return exitFailed
}

func printJSON(std standard, value any) error {
	encoder := json.NewEncoder(std.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

type parametersCommand struct{}

// Run prints the table from which everything else about the parameters is made.
func (parametersCommand) Run(std standard) error {
	return printJSON(std, struct {
		Default    string                `json:"defaultParameterSet"`
		Parameters []paramsets.Parameter `json:"parameters"`
	}{paramsets.DefaultParameterSet, paramsets.Parameters})
}

type versionCommand struct{}

// version is set by the Makefile.
var version = "dev"

// Run prints the program's version, the conversation's, and the Go release.
func (versionCommand) Run(std standard) error {
	build, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintf(std.out, "ninjaone-auth %s (conversation %d, %s)\n", version, wire.Version, build.GoVersion)
	return err
}

type keyringCommand struct {
	Backend string `arg:""`
}

// Run is the child process of package vault.
func (k keyringCommand) Run(std standard) error {
	return vault.ServeKeyring(k.Backend, std.in, std.out)
}
