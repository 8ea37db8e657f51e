package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/wire"
)

// told is a command's failure as stderr shows it. What is no failure is that stdout can't be written to.
func told(err error) string {
	if !errors.As(err, new(*failure.Error)) && errors.As(err, new(*fs.PathError)) {
		return fmt.Sprintf("ninjaone-auth: %v\n", err)
	}
	failed := failure.From(err)
	if failed.ID == failure.Interrupted {
		return "ninjaone-auth: interrupted before it was done (Interrupted)\nThe sessions in the keyring are as they were.\n"
	}
	return fmt.Sprintf("ninjaone-auth: %s (%s)\n%s\n", failed.Message, failed.ID, failed.Recommendation)
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

type versionCommand struct {
	JSON bool `name:"json" help:"Print an object as JSON."`
}

// version is set by the Makefile.
var version = "dev"

// versionText is the program's version, the conversation's, and the Go release.
func versionText() string {
	return fmt.Sprintf("ninjaone-auth %s (conversation %d, %s)", version, wire.Version, runtime.Version())
}

// Run prints the version.
func (v versionCommand) Run(std standard) error {
	if v.JSON {
		return printJSON(std, map[string]any{"version": version, "conversation": wire.Version, "go": runtime.Version()})
	}
	_, err := fmt.Fprintln(std.out, versionText())
	return err
}

type keyringCommand struct {
	Backend string `arg:""`
}

// Run is the child process of package keyring.
func (k keyringCommand) Run(std standard) error {
	return keyring.Serve(k.Backend, std.in, std.out)
}
