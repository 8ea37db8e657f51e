// Package report is how the layers below the conversation tell the caller what they are doing.
package report

import (
	"fmt"
	"time"
)

// Stream is one of PowerShell's message streams.
type Stream string

// The streams of docs/conversation.md.
const (
	VerboseStream     Stream = "verbose"
	DebugStream       Stream = "debug"
	WarningStream     Stream = "warning"
	InformationStream Stream = "information"
)

// Progress is one Write-Progress record.
type Progress struct {
	Activity  string `json:"activity"`
	Status    string `json:"status"`
	Percent   int    `json:"percent"`
	Completed bool   `json:"completed"`
}

// Sink takes messages and progress; a sink drops what its caller does not want to see.
// Nothing passed to it may hold a secret.
type Sink interface {
	Write(stream Stream, message string)
	Progress(p Progress)
	// Pending says that something which may take so long would be lost if the caller did not wait for it.
	Pending(most time.Duration)
}

// Silent drops everything.
type Silent struct{}

func (Silent) Write(Stream, string)  {}
func (Silent) Progress(Progress)     {}
func (Silent) Pending(time.Duration) {}

// Verbosef writes to the verbose stream.
func Verbosef(s Sink, format string, args ...any) {
	s.Write(VerboseStream, fmt.Sprintf(format, args...))
}

// Debugf writes to the debug stream.
func Debugf(s Sink, format string, args ...any) { s.Write(DebugStream, fmt.Sprintf(format, args...)) }

// Warningf writes to the warning stream.
func Warningf(s Sink, format string, args ...any) {
	s.Write(WarningStream, fmt.Sprintf(format, args...))
}

// Informationf writes to the information stream.
func Informationf(s Sink, format string, args ...any) {
	s.Write(InformationStream, fmt.Sprintf(format, args...))
}
