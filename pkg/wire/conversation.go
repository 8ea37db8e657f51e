package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
)

const (
	longestLine = 1 << 20
	// patience is how long the caller may take over its vault: it may have to ask for a password.
	patience = 2 * time.Minute
)

// ErrCallerGone is the cause with which the context of a conversation ends when the caller does not listen any more.
var ErrCallerGone = errors.New("the caller is gone")

// Conversation is a report.Sink and a vault.Asker for the caller of one connect.
type Conversation struct {
	caller   Caller
	out      io.Writer
	writing  sync.Mutex
	asking   sync.Mutex
	replies  chan []byte
	gone     context.CancelCauseFunc
	warnings []string
}

// Open reads the request. The context that it returns ends with ctx, and when a caller that said it can converse is
// gone. The conversation can answer even if the request was an error.
func Open(ctx context.Context, in io.Reader, out io.Writer) (context.Context, *Conversation, *Request, error) {
	ctx, gone := context.WithCancelCause(ctx)
	c := &Conversation{out: out, gone: gone, replies: make(chan []byte, 1)}
	lines := bufio.NewReader(in)
	first := make(chan struct{})
	var line []byte
	var err error
	go func() {
		line, err = readLine(lines)
		close(first)
	}()
	select {
	case <-first:
	case <-ctx.Done():
		return ctx, c, nil, failure.Interrupted(ctx.Err())
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		return ctx, c, nil, tooLong()
	}
	request, err := decodeRequest(bytes.TrimPrefix(line, []byte("\ufeff")))
	if err != nil {
		return ctx, c, nil, err
	}
	c.caller = request.Caller
	if c.caller.converses() {
		go c.listen(lines)
	}
	return ctx, c, request, nil
}

func tooLong() *failure.Error {
	return &failure.Error{
		ID: "RequestTooLong", Category: failure.LimitsExceeded, Target: "stdin",
		Message:        "The request on the standard input is longer than 1 MiB.",
		Recommendation: "Pass one request, as one line of JSON.",
	}
}

// readLine returns a line without its end, io.EOF only with nothing before it, and bufio.ErrBufferFull for a line of
// over 1 MiB.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		trimmed := bytes.TrimRight(line, "\r\n")
		switch {
		case len(trimmed) > longestLine:
			return nil, bufio.ErrBufferFull
		case err == nil, err == io.EOF && len(line) > 0:
			return trimmed, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// listen passes the caller's replies on until it is gone. What it says unasked is dropped.
func (c *Conversation) listen(lines *bufio.Reader) {
	for {
		line, err := readLine(lines)
		if err != nil {
			c.gone(ErrCallerGone)
			close(c.replies)
			return
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		select {
		case c.replies <- line:
		default:
		}
	}
}

// Write tells the caller something, if it wants to know.
func (c *Conversation) Write(stream report.Stream, message string) {
	if stream == report.WarningStream && !c.caller.Shows() {
		c.writing.Lock()
		defer c.writing.Unlock()
		c.warnings = append(c.warnings, message)
		return
	}
	if c.caller.wants(stream) {
		c.send(struct {
			Type    string        `json:"type"`
			Stream  report.Stream `json:"stream"`
			Message string        `json:"message"`
		}{"write", stream, message})
	}
}

// Progress shows progress to a caller that shows messages to a person.
func (c *Conversation) Progress(p report.Progress) {
	if c.caller.Shows() && c.caller.IsInteractive() {
		c.send(struct {
			Type string `json:"type"`
			report.Progress
		}{"progress", p})
	}
}

// Vaults returns the caller's vaults, nil if it has none.
func (c *Conversation) Vaults() vault.Asker {
	if c.caller.Vaults {
		return c
	}
	return nil
}

// Answer ends the conversation with a session. To a caller that shows no stream it also tells the warnings.
func (c *Conversation) Answer(parameterSet string, s session.Session) error {
	return c.send(struct {
		Type         string `json:"type"`
		ParameterSet string `json:"parameterSet"`
		session.Session
		Warnings []string `json:"warnings,omitempty"`
	}{"session", parameterSet, s, c.warnings})
}

// Fail ends the conversation with an error.
func (c *Conversation) Fail(failed *failure.Error) error {
	return c.send(struct {
		Type           string           `json:"type"`
		ID             string           `json:"id"`
		Category       failure.Category `json:"category"`
		Message        string           `json:"message"`
		Recommendation string           `json:"recommendation"`
		Target         string           `json:"target"`
	}{"error", failed.ID, failed.Category, failed.Message, failed.Recommendation, failed.Target})
}

// send writes one line; a caller that does not read it any more is gone.
func (c *Conversation) send(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, err = c.out.Write(append(ascii(text), '\n')); err != nil {
		c.gone(ErrCallerGone)
	}
	return err
}

// ascii writes everything else in JSON text as \uXXXX.
func ascii(text []byte) []byte {
	plain := make([]byte, 0, len(text)+1)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r < utf8.RuneSelf:
			plain = append(plain, byte(r))
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			plain = fmt.Appendf(plain, `\u%04x\u%04x`, high, low)
		default:
			plain = fmt.Appendf(plain, `\u%04x`, r)
		}
		text = text[size:]
	}
	return plain
}
