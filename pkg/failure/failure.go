// Package failure is the error of ninjaone-auth: what the wrapper raises as one terminating ErrorRecord.
package failure

import (
	"context"
	"errors"
	"fmt"
)

// Category names a member of PowerShell's System.Management.Automation.ErrorCategory.
type Category string

// The categories in use, with PowerShell's names.
const (
	AuthenticationError Category = "AuthenticationError"
	ConnectionError     Category = "ConnectionError"
	InvalidArgument     Category = "InvalidArgument"
	InvalidData         Category = "InvalidData"
	InvalidOperation    Category = "InvalidOperation"
	LimitsExceeded      Category = "LimitsExceeded"
	NotSpecified        Category = "NotSpecified"
	ObjectNotFound      Category = "ObjectNotFound"
	OperationStopped    Category = "OperationStopped"
	OperationTimeout    Category = "OperationTimeout"
	PermissionDenied    Category = "PermissionDenied"
	ProtocolError       Category = "ProtocolError"
	ResourceBusy        Category = "ResourceBusy"
	ResourceUnavailable Category = "ResourceUnavailable"
	WriteError          Category = "WriteError"
)

// Error is a failure as the caller gets it. No field ever holds a secret or a raw HTTP body.
type Error struct {
	// ID is the stable first half of FullyQualifiedErrorId, for example InvalidClient.
	ID string
	// Category is PowerShell's ErrorCategory.
	Category Category
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

// HasID tells whether err is a failure with one of the ids.
func HasID(err error, ids ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, id := range ids {
		if e.ID == id {
			return true
		}
	}
	return false
}

// Interrupted is the failure of whatever ended because of a signal or because the caller went away.
func Interrupted(cause error) *Error {
	return &Error{
		ID: "Interrupted", Category: OperationStopped, Target: "Connect-NinjaOne", Cause: cause,
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
		return Interrupted(err)
	}
	return &Error{
		ID: "InternalError", Category: NotSpecified, Cause: err,
		Message:        fmt.Sprintf("ninjaone-auth failed in a way it does not know (%T).", err),
		Recommendation: "That is a defect: please report it with what 'ninjaone-auth version' prints.",
	}
}
