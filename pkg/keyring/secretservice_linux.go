package keyring

import (
	"encoding/hex"
	"errors"
	"regexp"
	"strings"

	"github.com/godbus/dbus"

	"ninjaone-auth/pkg/keyring/nobus"
)

const (
	secretService = "org.freedesktop.secrets"
	secretObjects = "/org/freedesktop/secrets"
	collections   = secretObjects + "/collection/"
)

// secretServiceCollection returns the name of the user's default collection, as the library takes names, which makes
// a new collection under a name that it does not find.
func secretServiceCollection() (string, error) {
	if reason := nobus.Reason(); reason != "" {
		return "", &Problem{Unavailable, "there is no D-Bus session bus: " + reason}
	}
	bus, err := dbus.SessionBus()
	if err != nil {
		return "", &Problem{Unavailable, "the D-Bus session bus cannot be reached: " + err.Error()}
	}
	var path dbus.ObjectPath
	err = bus.Object(secretService, secretObjects).Call("org.freedesktop.Secret.Service.ReadAlias", 0, "default").Store(&path)
	if err != nil {
		return "", &Problem{Unavailable, "no program offers it on the D-Bus session bus: " + err.Error()}
	}
	name, ok := strings.CutPrefix(string(path), collections)
	if !ok {
		return "", &Problem{Unavailable, "it has no default keyring yet, as nobody has signed in at the desktop"}
	}
	return decodeCollection(name), nil
}

var escaped = regexp.MustCompile(`_[0-9a-f]{2}`)

// decodeCollection undoes the escapes of an object path, _2d for a hyphen.
func decodeCollection(name string) string {
	return escaped.ReplaceAllStringFunc(name, func(escape string) string {
		decoded, _ := hex.DecodeString(escape[1:])
		return string(decoded)
	})
}

// secretServiceProblem knows the errors of the Secret Service by name.
func secretServiceProblem(err error) *Problem {
	var e dbus.Error
	if errors.As(err, &e) && e.Name == "org.freedesktop.Secret.Error.IsLocked" {
		return &Problem{Locked, "it is locked"}
	}
	return nil
}
