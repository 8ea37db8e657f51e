package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"ninjaone-auth/pkg/browser"
	"ninjaone-auth/pkg/callback"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/install"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/lock"
	"ninjaone-auth/pkg/session"
	"ninjaone-auth/pkg/vault"
	"ninjaone-auth/powershell"
)

func (m Machine) program(context.Context) []Finding {
	path, err := os.Executable()
	if err != nil {
		path = err.Error()
	}
	found := []Finding{ok("ninjaone-auth %s for %s/%s: %s", m.Version, runtime.GOOS, runtime.GOARCH, path)}
	wrapper := filepath.Join(filepath.Dir(path), "Connect-NinjaOne.ps1")
	if text, err := os.ReadFile(wrapper); err == nil && !bytes.Equal(text, powershell.ConnectNinjaOne) {
		found = append(found, warning("Put the files of one release beside each other.", "%s is of another release than the program", wrapper))
	}
	return found
}

// modules says which NinjaOne modules use ninjaone-auth, and in which release.
func (m Machine) modules(context.Context) (found []Finding) {
	modules, problems := install.Find("")
	for _, one := range modules {
		if problem := one.Check(); problem != nil {
			problems = append(problems, problem)
			continue
		}
		switch where := fmt.Sprintf("NinjaOne %s in %s", one.Version, one.Path); {
		case one.Updated:
			found = append(found, warning("Run 'ninjaone-auth install'.", "%s has been updated since ninjaone-auth was installed", where))
		case one.Installed && one.Release != m.Version:
			found = append(found, warning("Run 'ninjaone-auth install' with the newer one.", "%s uses ninjaone-auth %s, and this is %s", where, one.Release, m.Version))
		case one.Installed:
			found = append(found, ok("%s uses this ninjaone-auth", where))
		default:
			found = append(found, ok("%s has its own Connect-NinjaOne; 'ninjaone-auth install' would have it use this one", where))
		}
	}
	for _, problem := range problems {
		found = append(found, failed(problem))
	}
	if found == nil {
		return []Finding{ok("there is no NinjaOne module where PowerShell looks for modules")}
	}
	return found
}

// browser says what would open a sign-in's address.
func (m Machine) browser(context.Context) []Finding {
	environment := browser.Environment(m.Environment)
	if reachable, because := environment.Reachable(); !reachable {
		return []Finding{ok("none would be opened, because %s: a sign-in shows its address", because)}
	}
	command, found := environment.Command()
	if !found {
		return []Finding{warning("Name one in BROWSER, or open the address that a sign-in shows yourself.", "no command that opens a browser was found (%s)", command)}
	}
	return []Finding{ok("%s", command)}
}

// port listens as a sign-in does, and stops.
func (m Machine) port(ctx context.Context) []Finding {
	listener, err := callback.Listen(ctx, session.DefaultRedirectURI(m.Port), m.Port, "", "")
	if err != nil {
		return []Finding{failed(m.Told(err))}
	}
	listener.Close()
	return []Finding{ok("%d is free on the loopback interface", m.Port)}
}

// keyring writes, reads and removes something of its own, if that can't have anybody asked.
func (m Machine) keyring(ctx context.Context) []Finding {
	ring := keyring.Open(patience)
	var found []Finding
	ring.Warn = func(message string) {
		found = append(found, Finding{Status: Warning, Found: message, Advice: "Use a longer passphrase."})
	}
	tried, err := ring.Try(ctx)
	switch {
	case err != nil:
		f := failed(m.Told(vault.KeyringFailure(err)))
		if m.get(keyring.BackendVariable) == "" && failure.Is(vault.KeyringFailure(err), failure.VaultUnavailable) {
			f.Status = Warning // nobody may need one
		}
		found = append(found, f)
	case tried:
		found = append(found, ok("%s: something was written, read and removed", ring))
	default:
		found = append(found, ok("%s answers; nothing was read, as it might ask somebody to unlock it", ring))
	}
	return found
}

// setting is an environment variable that changes what ninjaone-auth does.
type setting struct {
	name string
	show func(value string) string
	safe bool // in the environment, where all programs that are started there can read it
}

var settings = []setting{
	{"NINJAONE_AUTH_PATH", plain, true}, {"NINJAONE_AUTH_SIGNIN_TIMEOUT", plain, true}, {keyring.BackendVariable, plain, true},
	{keyring.PassphraseFileVariable, plain, true}, {"NINJAONE_AUTH_VAULT_PASSPHRASE", hidden, false}, {vault.StateVariable, plain, true},
	{"NINJAONE_CLIENT_SECRET", hidden, false}, {"NINJAONE_REFRESH_TOKEN", hidden, false}, {"BROWSER", plain, true},
	{"HTTPS_PROXY", proxy, true}, {"https_proxy", proxy, true}, {"NO_PROXY", plain, true}, {"no_proxy", plain, true},
	{"SSL_CERT_FILE", plain, true}, {"SSL_CERT_DIR", plain, true}, {"GODEBUG", plain, true}, {"XDG_CONFIG_HOME", plain, true},
	{"DBUS_SESSION_BUS_ADDRESS", plain, true},
}

func plain(value string) string { return value }
func hidden(string) string      { return "(set)" }

// proxy is a proxy's address without its user and password.
func proxy(value string) string {
	scheme, rest, found := strings.Cut(value, "://")
	if !found {
		scheme, rest = "http", value
	}
	return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
}

// environment lists what is set.
func (m Machine) environment(context.Context) []Finding {
	var found []Finding
	for _, s := range settings {
		switch value := m.get(s.name); {
		case value == "":
		case s.safe:
			found = append(found, ok("%s=%s", s.name, s.show(value)))
		default:
			found = append(found, warning("A file that only this user can read is safer.", "%s is set, and every program that is started here gets it", s.name))
		}
	}
	for _, variable := range m.Environment {
		name, _, _ := strings.Cut(variable, "=")
		known := slices.ContainsFunc(settings, func(s setting) bool { return s.name == name })
		if strings.HasPrefix(name, "NINJAONE_AUTH_") && !known {
			found = append(found, warning("Correct its name, or remove it.", "%s is no setting of ninjaone-auth", name))
		}
	}
	if found == nil {
		return []Finding{ok("nothing is set that changes what ninjaone-auth does")}
	}
	return found
}

func (m Machine) get(name string) string {
	for _, variable := range m.Environment {
		if value, is := strings.CutPrefix(variable, name+"="); is {
			return value
		}
	}
	return ""
}

// files looks for what others than this user can change or read.
func (m Machine) files(context.Context) []Finding {
	if runtime.GOOS == "windows" {
		return []Finding{ok("the user profile's access list protects them; it was not checked")}
	}
	var found []Finding
	state, err := vault.StateFolder()
	if err == nil {
		err = lock.CheckFolder(state)
	}
	if err != nil && !os.IsNotExist(err) {
		found = append(found, Finding{Status: Failure, Found: fmt.Sprintf("the folder for locks can't be used: %v", err), Advice: "Put that right, and look for who has done it."})
	}
	folder, err := keyring.Folder()
	if err == nil {
		found = append(found, readable(folder)...)
	}
	if found == nil {
		return []Finding{ok("nobody else can change %s or read %s", state, folder)}
	}
	return found
}

// readable are warnings of files in a folder that others can read, though they are encrypted.
func readable(folder string) (found []Finding) {
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			path := filepath.Join(folder, entry.Name())
			found = append(found, warning("chmod go= "+path, "others than this user can get at %s", path))
		}
	}
	return found
}
