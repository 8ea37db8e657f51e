package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"ninjaone-auth/pkg/session"
)

const keyStart = "ninjaone-auth."

var (
	wholeKey   = regexp.MustCompile(`^ninjaone-auth\.[a-z0-9-]+\.[0-9a-f]{32}$`)
	unreadable = regexp.MustCompile(`[^a-z0-9]+`)
)

// key is the name as keyrings, paths and lock files have it: as much of the vault's name as every one of them can hold,
// for people, and a digest that tells names apart.
func (n Name) key() string {
	n = n.withDefault()
	vault, prefix := strings.ToLower(n.Vault), strings.ToLower(n.Prefix)
	digest := sha256.Sum256([]byte(vault + "\x00" + prefix))
	readable := strings.Trim(unreadable.ReplaceAllString(vault, "-"), "-")
	readable = readable[:min(len(readable), 40)]
	if readable == "" {
		readable = "vault"
	}
	return keyStart + readable + "." + hex.EncodeToString(digest[:16])
}

func (n Name) withDefault() Name {
	if n.Prefix == "" {
		n.Prefix = session.DefaultSecretPrefix
	}
	return n
}

func capital(text string) string {
	if strings.HasPrefix(text, "the ") {
		return "T" + text[1:]
	}
	return text
}
