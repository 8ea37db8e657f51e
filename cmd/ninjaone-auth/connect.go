package main

import (
	"context"
	"errors"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/wire"
)

// errAnswered is the error of a command that has told its failure already.
var errAnswered = errors.New("answered")

type connectCommand struct{}

// Run serves one conversation; started at a terminal it says what it is for instead of waiting.
func (connectCommand) Run(ctx context.Context, std standard, command *kong.Context) error {
	if term.IsTerminal(int(std.in.Fd())) {
		return command.PrintUsage(false)
	}
	ctx, conversation, request, err := wire.Open(ctx, std.in, std.out)
	if err != nil {
		return answer(conversation.Fail(failure.From(err)), errAnswered)
	}
	parameterSet, s, err := connect.Connect(ctx, request.Parameters, request.Session, connect.Caller{
		Sink: conversation, Vaults: conversation.Vaults(), KeepsTokens: true,
		Interactive: request.Caller.IsInteractive(), Unseen: !request.Caller.Shows(),
	})
	if err != nil {
		return answer(conversation.Fail(failure.From(err)), errAnswered)
	}
	return answer(conversation.Answer(parameterSet, s), nil)
}

// answer is the error of a conversation that ended: nobody can be told that the answer could not be written.
func answer(writing, otherwise error) error {
	if writing != nil {
		return errAnswered
	}
	return otherwise
}
