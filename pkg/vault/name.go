package vault

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"ninjaone-auth/pkg/session"
)

// Name names a stored session: -VaultName and -SecretPrefix. As in PowerShell, its case does not matter.
type Name struct {
	Vault  string `json:"vault"`
	Prefix string `json:"prefix"`
}

const keyStart = "ninjaone-auth."

var (
	wholeKey   = regexp.MustCompile(`^ninjaone-auth\.[a-z0-9-]+\.[0-9a-f]{32}$`)
	unreadable = regexp.MustCompile(`[^a-z0-9]+`)
)

// NewName returns the name for -VaultName and -SecretPrefix, an empty one being the default.
func NewName(vault, prefix string) Name {
	return Name{Vault: vault, Prefix: cmp.Or(prefix, session.DefaultSecretPrefix)}
}

// key is the name as keyrings, paths and lock files have it: as much of the vault's name as every one of them can hold,
// for people, and a digest that tells names apart.
func (n Name) key() string {
	vault, prefix := strings.ToLower(n.Vault), strings.ToLower(n.Prefix)
	digest := sha256.Sum256([]byte(vault + "\x00" + prefix))
	readable := strings.Trim(unreadable.ReplaceAllString(vault, "-"), "-")
	readable = readable[:min(len(readable), 40)]
	return keyStart + cmp.Or(readable, "vault") + "." + hex.EncodeToString(digest[:16])
}

func capital(text string) string {
	if strings.HasPrefix(text, "the ") {
		return "T" + text[1:]
	}
	return text
}
