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

// told is a command's failure as stderr shows it, in these words. What is no failure is that stdout can't be written to.
func told(err error, words func(string) string) string {
	if !errors.As(err, new(*failure.Error)) && errors.As(err, new(*fs.PathError)) {
		return fmt.Sprintf("ninjaone-auth: %v\n", err)
	}
	failed := failure.From(err)
	if failed.ID == failure.Interrupted {
		return "ninjaone-auth: interrupted before it was done (Interrupted)\nThe sessions in the keyring are as they were.\n"
	}
	return fmt.Sprintf("ninjaone-auth: %s (%s)\n%s\n", words(failed.Message), failed.ID, words(failed.Recommendation))
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

// versionText is the program's version, the conversation's, and the Go release.
func versionText() string {
	build, _ := debug.ReadBuildInfo()
	return fmt.Sprintf("ninjaone-auth %s (conversation %d, %s)", version, wire.Version, build.GoVersion)
}

// Run prints the version.
func (versionCommand) Run(std standard) error {
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
