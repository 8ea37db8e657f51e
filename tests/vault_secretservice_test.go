package tests

import (
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

func secretServiceBox(t testing.TB) *box {
	b, _ := lockableBox(t)
	return b
}

// lockableBox is a machine with a Secret Service that can be locked.
func lockableBox(t testing.TB) (*box, *need.SecretService) {
	m, service := newMachine(t), need.StartSecretService(t)
	m.set("NINJAONE_AUTH_VAULT_BACKEND", "")
	m.set("DBUS_SESSION_BUS_ADDRESS", service.Address)
	return &box{m, plainName, &caller{Streams: allStreams}, m.app(standin.App{})}, service
}

func TestSecretService(t *testing.T) {
	b := secretServiceBox(t)
	wrote := b.connects(b.example4(nil), nil)
	b.service.Reset()
	want := wrote.Session
	want.Connection.ReadFromSecretVault = true
	equal(t, "read", b.connects(b.example5(nil), nil).Session, want)
	if r := b.runs(0, "token", "--vault", vaultName); r.stdout != wrote.Authentication.Access+"\n" {
		t.Errorf("printed %q, %q", r.stdout, r.stderr)
	}
	if n := b.service.Counters().Connections; n > 0 {
		t.Errorf("reading used the network %d times", n)
	}
	contains(t, "the list", b.runs(0, "vault", "list").stdout, vaultName)
	b.runs(0, "vault", "remove", vaultName)
	b.refuses(b.example5(nil), nil, "VaultNotFound", "Secret Service")
}

func TestSecretServiceRaces(t *testing.T) {
	b := secretServiceBox(t)
	b.expired()
	for _, o := range b.all(10, nil) {
		b.holdsLast(o.succeeded(t))
	}
	b.asked("refresh_token")
}

// A locked keyring on a machine without a desktop: nobody could answer its prompt.
func TestSecretServiceLocked(t *testing.T) {
	b, service := lockableBox(t)
	b.connects(b.example4(nil), nil)
	service.Lock()
	for _, p := range []parameters{b.example4(nil), b.example5(nil)} {
		if o := b.refuses(p, nil, "VaultLocked", "Secret Service", "Unlock"); o.elapsed > 25*time.Second { // a prompt would wait longer
			t.Errorf("that took %s", o.elapsed)
		}
	}
	b.runs(1, "token", "--vault", vaultName).saysOnly(t, "VaultLocked", "Unlock")
	b.requested(1) // none that could not be stored
}

// BenchmarkRead is the time of a whole process that reads a valid session, beyond one that only starts.
func BenchmarkRead(b *testing.B) {
	for kind, open := range map[string]func(testing.TB) *box{
		"SecretService": secretServiceBox,
		"file":          func(t testing.TB) *box { return keyringBox(t, plainName) },
	} {
		b.Run(kind, func(b *testing.B) {
			box := open(b)
			box.put(box.session(time.Hour))
			var reads, starts []float64
			for b.Loop() {
				for range repetitions {
					starts = append(starts, float64(timed(b, box.command("version")))/1e6)
					reads = append(reads, float64(timed(b, box.command("token", "--vault", vaultName)))/1e6)
				}
			}
			b.ReportMetric(median(reads), "ms-a-read")
			b.ReportMetric(median(starts), "ms-a-start")
		})
	}
}
