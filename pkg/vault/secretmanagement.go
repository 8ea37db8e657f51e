package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// SecretManagement is the session in a vault registered with PowerShell's SecretManagement: one secret a field, as the
// module's own vault code writes and reads them (docs/module-contract.md).
type SecretManagement struct {
	guard
	asker Asker
	// stored is what the vault is known to hold, with the defaults for what it leaves out.
	stored map[string]string
}

// NewSecretManagement returns the store of a name in the caller's vault.
func NewSecretManagement(name Name, asker Asker, sink report.Sink) *SecretManagement {
	return &SecretManagement{guard: newGuard(name, sink), asker: asker}
}

// String names the vault.
func (v *SecretManagement) String() string {
	return fmt.Sprintf("the SecretManagement vault %q", v.name.Vault)
}

// Load reads the seventeen secrets in the reverse of the order in which they are written, so that a reader without the
// lock never takes an older access token for one that a newer Expires belongs to. See Store.
func (v *SecretManagement) Load(ctx context.Context) (session.Session, error) {
	var names []string
	for _, f := range slices.Backward(fields) {
		names = append(names, v.name.Prefix+f.name)
	}
	var stored map[string]string
	err := patiently(ctx, func() (err error) {
		stored, err = v.asker.GetSecrets(ctx, v.name.Vault, names)
		return err
	})
	if err != nil {
		return session.Session{}, err
	}
	v.stored = map[string]string{}
	var s session.Session
	var wrong []string
	empty := true
	for _, f := range fields {
		if value := stored[v.name.Prefix+f.name]; value != "" {
			empty = false
			if !f.set(&s, value) {
				wrong = append(wrong, f.name)
			}
		}
	}
	if empty {
		return session.Session{}, v.notStored(v)
	}
	if problem := complete(&s, v.name, wrong); problem != "" {
		return session.Session{}, v.invalid(v, problem)
	}
	if s.Connection.AuthMode != session.ModeToken {
		s.Authentication.Refresh = "" // an older session's: what is empty is not written
	}
	for _, f := range fields {
		v.stored[v.name.Prefix+f.name] = f.get(s)
	}
	report.Verbosef(v.sink, "Read the session from %s.", v)
	return s, nil
}

// Save stores the secrets that differ from what was loaded. See Store.
func (v *SecretManagement) Save(ctx context.Context, s session.Session) error {
	var changed []Secret
	for _, f := range fields {
		name, value := v.name.Prefix+f.name, f.get(s)
		if value != "" && value != v.stored[name] {
			changed = append(changed, Secret{Name: name, Value: value})
		}
	}
	if len(changed) == 0 {
		return nil
	}
	left := changed
	err := patiently(ctx, func() error {
		err := v.asker.SetSecrets(ctx, v.name.Vault, left)
		done := storedBefore(left, err)
		v.remember(left[:done])
		left = left[done:]
		return err
	})
	if err != nil {
		return v.notAllStored(left, failure.From(err))
	}
	report.Verbosef(v.sink, "Stored %d secrets in %s.", len(changed), v)
	return nil
}

// patiently tries three times, because the file of a SecretStore is locked while another process writes to it.
func patiently(ctx context.Context, do func() error) (err error) {
	for _, pause := range []time.Duration{300 * time.Millisecond, 900 * time.Millisecond, 0} {
		if err = do(); pause == 0 || !failure.Is(err, failure.VaultFailed, failure.SecretNotStored) {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
	return err
}

// Lock locks the name. What was loaded before may be out of date by then, and is forgotten. See Store.
func (v *SecretManagement) Lock(ctx context.Context) (func(), error) {
	v.stored = nil
	return v.lock(ctx)
}

func (v *SecretManagement) remember(secrets []Secret) {
	if v.stored == nil {
		v.stored = map[string]string{}
	}
	for _, s := range secrets {
		v.stored[s.Name] = s.Value
	}
}

// storedBefore returns how many of the secrets were stored before the failure.
func storedBefore(secrets []Secret, err error) int {
	if err == nil {
		return len(secrets)
	}
	target := failure.From(err).Target
	return max(0, slices.IndexFunc(secrets, func(s Secret) bool { return s.Name == target }))
}

func (v *SecretManagement) notAllStored(secrets []Secret, cause *failure.Error) *failure.Error {
	names := make([]string, len(secrets))
	for i, s := range secrets {
		names[i] = s.Name
	}
	return &failure.Error{
		ID: failure.SecretNotStored, Target: names[0], Cause: cause,
		Message: fmt.Sprintf("These secrets were not stored in %s: %s. The reason: %s", v, strings.Join(names, ", "), cause.Message),
		Recommendation: "Make the vault writable (Test-SecretVault, Unlock-SecretVault) and run Connect-NinjaOne again with " +
			"-WriteToSecretVault.",
	}
}
