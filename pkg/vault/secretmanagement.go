package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// SecretManagement is the session in a vault registered with PowerShell's SecretManagement: one secret a field, as the
// module's own vault code writes and reads them (docs/module-contract.md).
type SecretManagement struct {
	guard
	asker Asker
	// module is the vault's extension module, once it was asked for.
	module *string
	// stored is what the vault is known to hold, with the defaults for what it leaves out.
	stored map[string]string
}

// NewSecretManagement returns the store of a name in the caller's vault.
func NewSecretManagement(name Name, asker Asker, sink report.Sink) *SecretManagement {
	v := &SecretManagement{guard: newGuard(name, sink), asker: asker}
	v.copyPatience = copyPatience
	return v
}

// String names the vault.
func (v *SecretManagement) String() string {
	return fmt.Sprintf("the SecretManagement vault %q", v.name.Vault)
}

// use is what somebody does with a store.
type use int

const (
	reading   use = iota // maybe from a copy
	rereading            // from the store itself
	writing              // to the store as it is
)

// enter takes the lock that keeps a read from meeting a write, which is held for as long as the caller is asked and never
// during a token request. The vaults of SecretStore have one together; every write to it has to begin with what others have
// written, and what they hold in copies ends with it.
func (v *SecretManagement) enter(ctx context.Context, u use) (leave func(), err error) {
	if v.module == nil {
		module, err := v.asker.Module(ctx, v.name.Vault)
		if err != nil {
			return nil, err
		}
		v.module = &module
	}
	isSecretStore := *v.module == secretStoreModule
	path, err := v.path(".store")
	if isSecretStore && err == nil {
		path, err = statePath("secretstore")
	}
	var release func()
	if err == nil {
		take := lock.Share
		if u == writing || u == rereading && isSecretStore {
			take = lock.Take
		}
		release, err = take(ctx, path, v.patience, func() { report.Debugf(v.sink, "Waiting for another process that is using %s.", v) })
	}
	err = v.lockFailure(path, err)
	switch {
	case failure.Is(err, failure.LockFailed) && u != writing:
		return func() {}, nil // no writer can have the lock either
	case err != nil || !isSecretStore:
		return release, err
	}
	if u != reading {
		err = moveStoreConfig()
	}
	if err == nil {
		err = awaitLoaded(ctx)
	}
	switch {
	case err != nil:
		release()
		return nil, err
	case u == writing:
		return func() { _ = moveStoreConfig(); release() }, nil
	}
	return release, nil
}

// Load reads the session. See Store.
func (v *SecretManagement) Load(ctx context.Context) (session.Session, error) {
	return v.current(ctx, v)
}

// read reads the seventeen secrets in the reverse of the order in which they are written, so that beside a writer whom no
// lock keeps out it never takes an older access token for one that a newer Expires belongs to.
func (v *SecretManagement) read(ctx context.Context, again bool) (session.Session, error) {
	u := reading
	if again || v.isLocked {
		u = rereading
	}
	leave, err := v.enter(ctx, u)
	if err != nil {
		return session.Session{}, err
	}
	defer leave()
	var names []string
	for _, f := range slices.Backward(fields) {
		names = append(names, v.name.Prefix+f.name)
	}
	stored, err := v.get(ctx, names...)
	if err != nil {
		return session.Session{}, err
	}
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
	v.stored = map[string]string{}
	if empty {
		return session.Session{}, v.notStored(v)
	}
	problem := complete(&s, v.name, wrong)
	switch left := v.leftHalfWay(); {
	case left == ofTwoApplications, left != "" && problem != "":
		return session.Session{}, v.invalid(v, "it was written half-way: sign in anew")
	case problem != "":
		return session.Session{}, v.invalid(v, problem)
	case left != "":
		s.Authentication.Expires = time.Time{} // an access token that it belongs to may never have come
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
	leave, err := v.enter(ctx, writing)
	if err != nil {
		return v.notAllStored(changed, failure.From(err))
	}
	defer leave()
	before := v.leftHalfWay()
	v.begin(before, v.isOf(ctx, s.Connection))
	left, err := v.set(ctx, changed)
	v.remember(changed[:len(changed)-len(left)])
	nothingStored := len(left) == len(changed) && failure.Is(err, failure.SecretNotStored, failure.VaultNotFound)
	if err == nil || before == "" && nothingStored {
		v.end()
	}
	if err != nil {
		return v.notAllStored(left, failure.From(err))
	}
	report.Verbosef(v.sink, "Stored %d secrets in %s.", len(changed), v)
	return nil
}

// Try writes back one secret that no renewal changes. See Store.
func (v *SecretManagement) Try(ctx context.Context) error {
	leave, err := v.enter(ctx, writing)
	if err != nil {
		return err
	}
	defer leave()
	name := v.name.Prefix + "AuthMode"
	stored, err := v.get(ctx, name)
	if err != nil || stored[name] == "" {
		return err
	}
	left, err := v.set(ctx, []Secret{{Name: name, Value: stored[name]}})
	if err == nil || failure.Is(err, failure.Interrupted) {
		return err
	}
	return nothingSent(v.notAllStored(left, failure.From(err)))
}

func (v *SecretManagement) get(ctx context.Context, names ...string) (stored map[string]string, err error) {
	err = patiently(ctx, func() (err error) {
		stored, err = v.asker.GetSecrets(ctx, v.name.Vault, names)
		return err
	})
	return stored, err
}

// set stores secrets and returns those that it could not store.
func (v *SecretManagement) set(ctx context.Context, secrets []Secret) (left []Secret, err error) {
	left = secrets
	err = patiently(ctx, func() error {
		err := v.asker.SetSecrets(ctx, v.name.Vault, left)
		done := storedBefore(left, err)
		left = left[done:]
		return err
	})
	return left, err
}

// patiently tries three times, because the file of a SecretStore is locked while another process writes to it.
func patiently(ctx context.Context, do func() error) (err error) {
	for _, length := range []time.Duration{300 * time.Millisecond, 900 * time.Millisecond, 0} {
		if err = do(); length == 0 || !failure.Is(err, failure.VaultFailed, failure.SecretNotStored) {
			break
		}
		if pause(ctx, length) != nil {
			break
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
