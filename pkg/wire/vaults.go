package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/vault"
)

// storingTime is how long a caller that is gone may take to store what it was handed last.
const storingTime = 2 * time.Second

// reply is what the caller says to getSecrets or setSecrets.
type reply struct {
	Secrets map[string]string `json:"secrets"`
	Module  string            `json:"module"`
	Stored  *int              `json:"stored"`
	Error   *struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"error"`
}

// Module asks the caller for no secret of a vault, which is answered with the name of its extension module by a caller that
// knows the field. See vault.Asker.
func (c *conversation) Module(ctx context.Context, name string) (string, error) {
	said, err := c.getSecrets(ctx, name, []string{})
	if err != nil {
		return "", err
	}
	return said.Module, nil
}

// GetSecrets asks the caller for secrets. See vault.Asker.
func (c *conversation) GetSecrets(ctx context.Context, name string, names []string) (map[string]string, error) {
	said, err := c.getSecrets(ctx, name, names)
	if err != nil {
		return nil, err
	}
	return said.Secrets, nil
}

func (c *conversation) getSecrets(ctx context.Context, name string, names []string) (*reply, error) {
	said, err := c.ask(ctx, name, struct {
		Type  string   `json:"type"`
		Vault string   `json:"vault"`
		Names []string `json:"names"`
	}{"getSecrets", name, names}, nil)
	if err == nil && said.Secrets == nil {
		err = misunderstood(name)
	}
	return said, err
}

// SetSecrets has the caller store secrets. A caller that is gone is handed them all the same: if it still reads, it can
// keep a token that exists nowhere else. See vault.Asker.
func (c *conversation) SetSecrets(ctx context.Context, name string, secrets []vault.Secret) error {
	said, err := c.ask(ctx, name, struct {
		Type    string         `json:"type"`
		Vault   string         `json:"vault"`
		Secrets []vault.Secret `json:"secrets"`
	}{"setSecrets", name, secrets}, secrets)
	if errors.Is(err, errCallerGone) {
		time.Sleep(storingTime) // under the session's lock
	}
	if err != nil {
		return err
	}
	if said.Stored == nil {
		return misunderstood(name)
	}
	if stored := max(0, *said.Stored); stored < len(secrets) {
		return &failure.Error{
			ID: failure.SecretNotStored, Target: secrets[stored].Name,
			Message:        fmt.Sprintf("Only %d of %d secrets were stored in vault %q.", stored, len(secrets), name),
			Recommendation: "Run Connect-NinjaOne again.",
		}
	}
	return nil
}

// ask gets the caller's reply. handed are the secrets that its vault may quote.
func (c *conversation) ask(ctx context.Context, name string, question any, handed []vault.Secret) (*reply, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	select {
	case <-c.replies: // said before it was asked
	default:
	}
	if err := c.send(question); err != nil {
		return nil, failure.Interruption(err)
	}
	var line []byte
	select {
	case line = <-c.replies:
	case <-ctx.Done():
		return nil, failure.Interruption(context.Cause(ctx))
	case <-time.After(lock.Patience):
		return nil, &failure.Error{
			ID: failure.VaultTimedOut, Target: name,
			Message:        fmt.Sprintf("The SecretManagement vault %q did not answer within %s.", name, lock.Patience),
			Recommendation: "Unlock the vault first (Unlock-SecretVault, Unlock-SecretStore), then run Connect-NinjaOne again.",
		}
	}
	if line == nil {
		return nil, failure.Interruption(errCallerGone)
	}
	var said reply
	if json.Unmarshal(line, &said) != nil {
		return nil, misunderstood(name)
	}
	if said.Error != nil {
		return nil, vaultFailure(name, said.Error.ID, said.Error.Name, failure.Clean(said.Error.Message, secretsOf(handed)...))
	}
	return &said, nil
}

// secretsOf are the values that nobody may see.
func secretsOf(handed []vault.Secret) (values []string) {
	for _, s := range handed {
		if strings.HasSuffix(s.Name, "Refresh") || strings.HasSuffix(s.Name, "Access") || strings.HasSuffix(s.Name, "ClientSecret") {
			values = append(values, s.Value)
		}
	}
	return values
}

// vaultFailure is what the caller says of its vault, as a failure.
func vaultFailure(name, id, target, message string) *failure.Error {
	failed := &failure.Error{
		ID: failure.VaultFailed, Target: cmp.Or(failure.Clean(target), name),
		Message:        fmt.Sprintf("The SecretManagement vault %q failed: %s", name, message),
		Recommendation: "Check the vault with Test-SecretVault and Get-SecretInfo, unlock it (Unlock-SecretVault), then run Connect-NinjaOne again.",
	}
	switch id {
	case failure.VaultNotFound.String():
		failed.ID, failed.Message, failed.Recommendation = failure.VaultNotFound, message, "Register the vault with Register-SecretVault."
	case failure.SecretNotStored.String():
		failed.ID, failed.Message = failure.SecretNotStored, message
	}
	return failed
}

func misunderstood(name string) *failure.Error {
	return &failure.Error{
		ID: failure.VaultFailed, Target: name,
		Message:        fmt.Sprintf("The caller's reply to a question about the vault %q is of another form than the conversation has.", name),
		Recommendation: "Update ninjaone-auth and Connect-NinjaOne.ps1 to the same release.",
	}
}
