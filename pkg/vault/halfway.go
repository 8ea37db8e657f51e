package vault

import (
	"context"
	"os"

	"ninjaone-auth/pkg/session"
)

// What a write that began and did not end has left: a session of one application, which can be renewed, or a mixture.
const (
	ofOneApplication  = "of one application"
	ofTwoApplications = "of two applications"
)

// leftHalfWay says what a write has left half-way, nothing if the last one was complete. To be called between enter and
// leave, when no write is under way.
func (v *SecretManagement) leftHalfWay() string {
	path, err := v.path(".writing")
	if err != nil {
		return ""
	}
	switch left, err := os.ReadFile(path); {
	case err != nil:
		return ""
	case string(left) == ofOneApplication:
		return ofOneApplication
	}
	return ofTwoApplications
}

// begin says that a write is under way, after one that has left something. What can't be noted is stored all the same.
func (v *SecretManagement) begin(before string, ofStored bool) {
	left := ofOneApplication
	if before == ofTwoApplications || !ofStored {
		left = ofTwoApplications
	}
	if path, err := v.path(".writing"); err == nil {
		_ = os.WriteFile(path, []byte(left), 0o600)
	}
}

// end says that the write is complete.
func (v *SecretManagement) end() {
	if path, err := v.path(".writing"); err == nil {
		_ = os.Remove(path)
	}
}

// isOf tells whether what is stored, if anything, is of a connection's application.
func (v *SecretManagement) isOf(ctx context.Context, c session.Connection) bool {
	instance, clientID := v.name.Prefix+"Instance", v.name.Prefix+"ClientId"
	stored := v.stored
	if stored[clientID] == "" {
		var err error
		if stored, err = v.get(ctx, instance, clientID); err != nil {
			return false
		}
	}
	return stored[clientID] == "" || c.SameApplication(session.Connection{Instance: stored[instance], ClientID: stored[clientID]})
}
