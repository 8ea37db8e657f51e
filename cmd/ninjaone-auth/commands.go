package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

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

// Run is the child process of package keyring.
func (k keyringCommand) Run(std standard) error {
	return keyring.Serve(k.Backend, std.in, std.out)
}
