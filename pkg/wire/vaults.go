package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/vault"
)

// storingTime is how long a caller that is gone may take to store what it was handed last.
const storingTime = 2 * time.Second

// reply is the caller's answer to getSecrets or setSecrets.
type reply struct {
	Secrets map[string]string `json:"secrets"`
	Stored  *int              `json:"stored"`
	Error   *struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Message string `json:"message"`
	} `json:"error"`
}

// GetSecrets asks the caller for secrets. See vault.Asker.
func (c *Conversation) GetSecrets(ctx context.Context, name string, names []string) (map[string]string, error) {
	answer, err := c.ask(ctx, name, struct {
		Type  string   `json:"type"`
		Vault string   `json:"vault"`
		Names []string `json:"names"`
	}{"getSecrets", name, names})
	if err != nil {
		return nil, err
	}
	if answer.Secrets == nil {
		return nil, misunderstood(name)
	}
	return answer.Secrets, nil
}

// SetSecrets has the caller store secrets. A caller that is gone is handed them all the same: if it still reads, it can
// keep a token that exists nowhere else. See vault.Asker.
func (c *Conversation) SetSecrets(ctx context.Context, name string, secrets []vault.Secret) error {
	answer, err := c.ask(ctx, name, struct {
		Type    string         `json:"type"`
		Vault   string         `json:"vault"`
		Secrets []vault.Secret `json:"secrets"`
	}{"setSecrets", name, secrets})
	if errors.Is(err, ErrCallerGone) {
		time.Sleep(storingTime) // under the session's lock
	}
	if err != nil {
		return err
	}
	if answer.Stored == nil {
		return misunderstood(name)
	}
	if stored := max(0, *answer.Stored); stored < len(secrets) {
		return &failure.Error{
			ID: "SecretNotStored", Category: failure.WriteError, Target: secrets[stored].Name,
			Message:        fmt.Sprintf("Only %d of %d secrets were stored in vault %q.", stored, len(secrets), name),
			Recommendation: "Run Connect-NinjaOne again.",
		}
	}
	return nil
}

func (c *Conversation) ask(ctx context.Context, name string, question any) (*reply, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	select {
	case <-c.replies: // said before it was asked
	default:
	}
	if err := c.send(question); err != nil {
		return nil, failure.Interrupted(err)
	}
	var line []byte
	select {
	case line = <-c.replies:
	case <-ctx.Done():
		return nil, failure.Interrupted(context.Cause(ctx))
	case <-time.After(patience):
		return nil, &failure.Error{
			ID: "VaultTimedOut", Category: failure.OperationTimeout, Target: name,
			Message:        fmt.Sprintf("The SecretManagement vault %q did not answer within %s.", name, patience),
			Recommendation: "Unlock the vault first (Unlock-SecretVault, Unlock-SecretStore), then run Connect-NinjaOne again.",
		}
	}
	if line == nil {
		return nil, failure.Interrupted(ErrCallerGone)
	}
	var answer reply
	if json.Unmarshal(line, &answer) != nil {
		return nil, misunderstood(name)
	}
	if answer.Error != nil {
		return nil, vaultFailure(name, answer.Error.ID, answer.Error.Name, answer.Error.Message)
	}
	return &answer, nil
}

// vaultFailure is what the caller says of its vault, as a failure.
func vaultFailure(name, id, target, message string) *failure.Error {
	failed := &failure.Error{ID: id, Target: cmp.Or(failure.Clean(target), name), Message: failure.Clean(message)}
	switch id {
	case "VaultNotFound":
		failed.Category = failure.ObjectNotFound
		failed.Recommendation = "Register the vault with Register-SecretVault."
		return failed
	case "SecretNotStored":
		failed.Category = failure.WriteError
	default:
		failed.ID, failed.Category = "VaultFailed", failure.ResourceUnavailable
		failed.Message = fmt.Sprintf("The SecretManagement vault %q failed: %s", name, failed.Message)
	}
	failed.Recommendation = "Check the vault with Test-SecretVault and Get-SecretInfo, unlock it (Unlock-SecretVault), then run Connect-NinjaOne again."
	return failed
}

func misunderstood(name string) *failure.Error {
	return &failure.Error{
		ID: "VaultFailed", Category: failure.ProtocolError, Target: name,
		Message:        fmt.Sprintf("The caller answered a question about the vault %q with something that is no answer to it.", name),
		Recommendation: "Update ninjaone-auth and Connect-NinjaOne.ps1 to the same release.",
	}
}
