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
	b.runs(0, "logout", "--vault", vaultName)
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
	finds(t, b.examine(t, 0, "keyring"), "ok", "Secret Service", "nothing was read")
	b.requested(1) // none that could not be stored
}

// BenchmarkRead sets `token` on a valid session against --version, turn by turn, as the median of the pairs, and tells what the
// time is made of: the start of the program, and reading the session, which with the encrypted file is nearly all the derivation
// of its key (PBKDF2 with 8192 rounds, as the library has it).
func BenchmarkRead(b *testing.B) {
	for kind, open := range map[string]func(testing.TB) *box{
		"SecretService": secretServiceBox,
		"file":          func(t testing.TB) *box { return keyringBox(t, plainName) },
	} {
		b.Run(kind, func(b *testing.B) {
			box := open(b)
			box.put(box.session(time.Hour))
			for b.Loop() {
				var tokens, starts []time.Duration
				var reads, startTimes []float64
				for range repetitions {
					start := timed(b, box.command("--version"))
					starts, startTimes = append(starts, start), append(startTimes, float64(start)/1e6)
					tokens = append(tokens, timed(b, box.command("token", "--vault", vaultName)))
					began := time.Now()
					box.get()
					reads = append(reads, float64(time.Since(began))/1e6)
				}
				b.ReportMetric(ratio(tokens, starts), "times-version")
				b.ReportMetric(median(startTimes), "ms-to-start")
				b.ReportMetric(median(reads), "ms-to-read")
			}
		})
	}
}
