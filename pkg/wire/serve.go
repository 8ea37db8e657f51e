package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/session"
)

// Connect carries out a call; connect.Connect is one.
type Connect func(ctx context.Context, arguments []paramsets.Argument, present *session.Session, caller connect.Caller) (parameterSet string, s session.Session, err error)

// Serve holds one conversation: it reads the request from in, has it carried out, and writes the answer to out. It tells
// whether the answer is a session and has been written. A caller that said it can converse ends it by closing in.
func Serve(ctx context.Context, in io.Reader, out io.Writer, connect Connect) (succeeded bool) {
	ctx, gone := context.WithCancelCause(ctx)
	defer gone(nil)
	c := &conversation{out: out, gone: gone, replies: make(chan []byte, 1)}
	lines := bufio.NewReader(in)
	request, err := readRequest(ctx, lines)
	if err != nil {
		c.fail(err)
		return false
	}
	c.caller, c.streams, c.pending = request.caller, request.streams, request.pending
	if c.caller.SeesMessages || request.vaults {
		go c.listen(lines)
	}
	c.caller.Sink = c
	if request.vaults {
		c.caller.Vaults = c
	}
	parameterSet, s, err := connect(ctx, request.parameters, request.session, c.caller)
	if err != nil {
		c.fail(err)
		return false
	}
	return c.answer(parameterSet, s) == nil
}

// readRequest reads the caller's first line, or all its lines if the first is only the beginning, unless ctx ends before.
func readRequest(ctx context.Context, lines *bufio.Reader) (*request, error) {
	var text []byte
	var several bool
	var err error
	read := make(chan struct{})
	go func() {
		defer close(read)
		text, err = readLine(lines)
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
		if several = unfinished(text); several {
			rest, _ := io.ReadAll(io.LimitReader(lines, longestLine+1))
			if text = append(append(text, '\n'), rest...); len(text) > longestLine {
				err = bufio.ErrBufferFull
			}
		}
	}()
	select {
	case <-read:
	case <-ctx.Done():
		return nil, failure.Interruption(ctx.Err())
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, &failure.Error{
			ID: failure.RequestTooLong, Target: "stdin",
			Message:        "The request on the standard input is longer than 1 MiB.",
			Recommendation: "Pass one request, as one JSON object.",
		}
	}
	r, err := decodeRequest(text)
	if err == nil && several && (r.vaults || r.caller.SeesMessages) {
		return nil, invalid("", errSeveralLines)
	}
	return r, err
}

// unfinished tells whether a text is the beginning of JSON.
func unfinished(text []byte) bool {
	var value json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&value), io.ErrUnexpectedEOF)
}

// answer ends the conversation with a session. To a caller that shows no stream it also tells the warnings.
func (c *conversation) answer(parameterSet string, s session.Session) error {
	return c.send(struct {
		Type         string `json:"type"`
		ParameterSet string `json:"parameterSet"`
		session.Session
		Warnings []string `json:"warnings,omitempty"`
	}{"session", parameterSet, s, c.warnings})
}

// fail ends the conversation with an error. Nobody is left to be told that it can't be written.
func (c *conversation) fail(err error) {
	failed := failure.From(err)
	_ = c.send(struct {
		Type           string `json:"type"`
		ID             string `json:"id"`
		Category       string `json:"category"`
		Message        string `json:"message"`
		Recommendation string `json:"recommendation"`
		Target         string `json:"target"`
	}{"error", failed.ID.String(), failed.ID.Category(), failed.Message, failed.Recommendation, failed.Target})
}
