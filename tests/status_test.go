package tests

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// status is the object of `status --json` (docs/commands.md).
type status struct {
	Modules  []struct{ Path, Release string }
	Sessions []facts
	Problems []struct{ ID, Message, Recommendation, Target string }
}

func (m *machine) status(t *testing.T) (s status) {
	t.Helper()
	r := m.runs(0, "status", "--json")
	m.searchForSecrets("status", r.stdout)
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil || r.stderr != "" {
		t.Fatalf("%v: %s, stderr %q", err, r.stdout, r.stderr)
	}
	return s
}

func TestStatusShowsSessions(t *testing.T) {
	modules := newModuleBox(t)
	folder := modules.module("2.8.0")
	b := loginBox(t)
	b.env = append(b.env, modules.env...)
	b.put(b.session(time.Hour))
	s := b.status(t)
	if len(s.Sessions) != 1 || s.Sessions[0].ClientID != b.app.ClientID || !s.Sessions[0].Valid || !s.Sessions[0].Renewable || len(s.Problems) > 0 || s.Modules[0].Path != folder {
		t.Errorf("%+v", s)
	}
	contains(t, "status", b.runs(0, "status").stdout, b.app.ClientID, "Token Authentication", "offline_access", folder)

	b.useFile("other") // too short, which would be a warning on stderr
	if s := b.status(t); s.Sessions == nil || len(s.Sessions) > 0 || len(s.Problems) != 1 || s.Problems[0].ID != "VaultPassphraseWrong" {
		t.Errorf("with a wrong passphrase: %+v", s)
	}
	contains(t, "status with a wrong passphrase", b.runs(0, "status").stdout, "passphrase does not open it")
	if s := modules.status(t); len(s.Problems) > 0 || len(s.Sessions) > 0 {
		t.Errorf("where nobody has chosen a keyring, and there is none: %+v", s)
	}
}

func TestDoctorLooksAtModules(t *testing.T) {
	b := newModuleBox(t)
	finds(t, b.examine(t, 0, "modules"), "ok", "no NinjaOne module")
	b.module("2.7.0")
	finds(t, b.examine(t, 0, "modules"), "ok", "2.7.0", "has its own")
	b.runs(0, "install")
	finds(t, b.examine(t, 0, "modules"), "ok", "2.7.0", "uses this")
	newer := b.module("2.8.0")
	finds(t, b.examine(t, 0, "modules"), "warning", newer, "ninjaone-auth install")
	write(t, filepath.Join(newer, "NinjaOne.psm1"), strings.Replace(read(t, filepath.Join(b.modules, "NinjaOne/2.7.0/NinjaOne.psm1")), b.release, "v0.0.1", 1))
	finds(t, b.examine(t, 1, "modules"), "failure", newer, "ModuleIncomplete")
}
