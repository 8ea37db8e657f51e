package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/report"
)

const longestLine = 1 << 20

// errCallerGone is the cause with which the context of a conversation ends when the caller does not listen any more.
var errCallerGone = errors.New("the caller is gone")

// conversation is a report.Sink and a vault.Asker for the caller of one connect.
type conversation struct {
	caller   connect.Caller
	streams  []report.Stream
	pending  bool
	out      io.Writer
	writing  sync.Mutex
	asking   sync.Mutex
	replies  chan []byte
	gone     context.CancelCauseFunc
	warnings []string
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
func (c *conversation) listen(lines *bufio.Reader) {
	for {
		line, err := readLine(lines)
		if err != nil {
			c.gone(errCallerGone)
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

// Write tells the caller something, if it wants to know. One that shows any stream gets warnings and information too, as
// it needs to read them; to one that shows none the answer tells the warnings.
func (c *conversation) Write(stream report.Stream, message string) {
	needed := stream == report.WarningStream || stream == report.InformationStream
	switch {
	case slices.Contains(c.streams, stream), needed && c.caller.SeesMessages:
		c.send(struct {
			Type    string        `json:"type"`
			Stream  report.Stream `json:"stream"`
			Message string        `json:"message"`
		}{"write", stream, message})
	case stream == report.WarningStream:
		c.writing.Lock()
		defer c.writing.Unlock()
		c.warnings = append(c.warnings, message)
	}
}

// Progress shows progress to a caller that shows messages to a person.
func (c *conversation) Progress(p report.Progress) {
	if c.caller.SeesMessages && c.caller.SignsIn {
		c.send(struct {
			Type string `json:"type"`
			report.Progress
		}{"progress", p})
	}
}

// Pending tells a caller that knows the line how long what it may lose can take.
func (c *conversation) Pending(most time.Duration) {
	if c.pending {
		c.send(struct {
			Type    string `json:"type"`
			Seconds int    `json:"seconds"`
		}{"pending", int(most.Seconds())})
	}
}

// send writes one line; a caller that does not read it any more is gone.
func (c *conversation) send(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, err = c.out.Write(append(ascii(text), '\n')); err != nil {
		c.gone(errCallerGone)
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
