// Package failure is the error of ninjaone-auth: what the wrapper raises as one terminating ErrorRecord.
package failure

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Error is a failure as the caller gets it. No field ever holds a secret or a raw HTTP body. Nobody changes a failure
// that was returned; With makes another of it.
type Error struct {
	ID ID
	// Message says what went wrong, and to what.
	Message string
	// Recommendation says what to do about it.
	Recommendation string
	// Target is what failed: an address, a vault, a parameter's name.
	Target string
	// Cause is for errors.Is and errors.As only; nobody is shown it.
	Cause error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// With returns the failure with more said in its message, and with another recommendation unless that is empty.
func (e *Error) With(more, recommendation string) *Error {
	changed := *e
	changed.Message += more
	if recommendation != "" {
		changed.Recommendation = recommendation
	}
	return &changed
}

// Is tells whether err is a failure with one of the ids.
func Is(err error, ids ...ID) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains(ids, e.ID)
}

// Interruption is the failure of whatever ended because of a signal or because the caller went away.
func Interruption(cause error) *Error {
	return &Error{
		ID: Interrupted, Target: "Connect-NinjaOne", Cause: cause,
		Message:        "Connect-NinjaOne was interrupted before it was done.",
		Recommendation: "Your session and the vault are as they were. Run Connect-NinjaOne again.",
	}
}

// From returns err as a failure: itself, Interrupted for a cancelled context, else InternalError.
func From(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return Interruption(err)
	}
	return &Error{
		ID: InternalError, Target: "ninjaone-auth", Cause: err,
		Message:        fmt.Sprintf("ninjaone-auth hit an unexpected error (%T).", err),
		Recommendation: "That is a defect: please report it with what 'ninjaone-auth version' prints.",
	}
}
