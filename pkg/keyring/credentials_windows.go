package keyring

import (
	"strings"

	"github.com/99designs/keyring"
	"github.com/danieljoos/wincred"
)

// credentials does not take a Credential Manager that can't be listed for an empty one.
type credentials struct{ keyring.Keyring }

// credentialStart is what the library puts before a key.
const credentialStart = "keyring:ninjaone-auth:"

func (credentials) Keys() ([]string, error) { return keysOf(wincred.List()) }

func keysOf(all []*wincred.Credential, err error) (keys []string, _ error) {
	for _, one := range all {
		if key, ours := strings.CutPrefix(one.TargetName, credentialStart); ours {
			keys = append(keys, key)
		}
	}
	return keys, err
}
