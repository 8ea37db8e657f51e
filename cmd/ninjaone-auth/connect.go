package main

import (
	"context"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/wire"
)

type connectCommand struct{}

// Run serves one conversation; started at a terminal it says what it is for instead of waiting.
func (connectCommand) Run(ctx context.Context, std standard, command *kong.Context, status *exitStatus) error {
	if term.IsTerminal(int(std.in.Fd())) {
		return command.PrintUsage(false)
	}
	if !wire.Serve(ctx, std.in, std.out, connect.Connect) {
		*status = exitFailed
	}
	return nil
}
