//go:build !windows

package keyring

import "github.com/99designs/keyring"

type credentials struct{ keyring.Keyring }
