package tests

import (
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

// PowerShell and the program are killed while a sign-in is stored over a session: what is left is renewed if both are of one
// application, and is no session otherwise, until somebody signs in.
func TestKilledHalfWay(t *testing.T) {
	for at, name := range every {
		t.Run(name, func(t *testing.T) {
			b := secretManagementBox(t, plainName)
			signIn := parameters{"UseClientAuth": nil, "UseTokenAuth": true, "ShowTokens": true}
			die := func() {
				signIn["RefreshToken"] = b.service.IssueRefreshToken(b.app.ClientID)
				b.who.secrets.diesAt = "NinjaOne" + name
				if o := b.call(request{Parameters: b.example4(signIn), Caller: b.who}); o.Type != "" {
					t.Fatalf("it was not killed: %+v", o.answer)
				}
				b.who.secrets.diesAt = ""
			}
			b.put(b.session(time.Hour))
			die()
			o := b.connects(b.example5(nil), nil)
			b.holdsLast(o)
			if o.Connection.ClientID != b.app.ClientID {
				t.Errorf("read %+v", o.Connection)
			}

			before := len(b.tokenRequests())
			b.app = b.machine.app(standin.App{})
			die()
			b.refuses(b.example5(nil), nil, "VaultDataInvalid", "written half-way: sign in anew", vaultName)
			if requests := len(b.tokenRequests()) - before; requests != 1 {
				t.Errorf("what field %d of another application was left of was used: %d requests", at, requests)
			}
			b.connects(b.example4(nil), nil)
			equal(t, "client id", b.connects(b.example5(nil), nil).Connection.ClientID, b.app.ClientID)
		})
	}
}

// What has replaced a refresh token is gone from the vault again, by a backup or by another program.
func TestSpentRefreshTokenIsNeverSent(t *testing.T) {
	b := keyringBox(t, plainName) // with SecretManagement, TestSecretStoreTakenBack
	old := b.expired()
	b.connects(b.example5(nil), nil)
	b.put(old)
	b.refuses(b.example5(nil), nil, "VaultOutOfDate", vaultName, "Nothing was sent", "-WriteToSecretVault")
	old.Connection.ReadFromSecretVault = true
	b.refuses(b.update(old), &old, "InvalidRefreshToken", "not sent", "-UseWebAuth")
	b.asked("refresh_token")
	// A session that this machine does not know to be old is as good as any.
	b.expired()
	b.holdsLast(b.connects(b.example5(nil), nil))
	// Nor is the token sent that a sign-in gives, as there is a newer one.
	b.holdsLast(b.connects(b.example4(parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": string(old.Authentication.Refresh)}), nil))
	b.asked("refresh_token", "refresh_token", "refresh_token")
	for _, r := range b.tokenRequests() {
		equal(t, "status", r.Status, 200)
	}
}

// A copy that catches up is waited for.
func TestCopyThatCatchesUp(t *testing.T) {
	b := secretManagementBox(t, plainName)
	old := b.expired()
	newer := b.connects(b.example5(nil), nil).Session
	b.put(old)
	reads := 0
	b.who.secrets.asked = func(m message) {
		if reads++; reads == 6 {
			b.put(newer)
		}
	}
	equal(t, "read", b.connects(b.example5(nil), nil).Authentication, newer.Authentication)
	b.asked("refresh_token")
}

// A vault that can be read but not written to.
func TestReadOnlyVault(t *testing.T) {
	b := secretManagementBox(t, plainName)
	old := b.expired()
	b.who.secrets.readOnly = true
	b.refuses(b.example5(nil), nil, "SecretNotStored", "read only", "nothing was sent", vaultName)
	mine := old
	mine.Connection.ReadFromSecretVault = true
	b.refuses(b.update(mine), &mine, "SecretNotStored", "read only", "nothing was sent")
	signIn := parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": b.service.IssueRefreshToken(b.app.ClientID)}
	b.refuses(b.example4(signIn), nil, "SecretNotStored", "read only", "nothing was sent")
	b.asked()
	o := b.connects(b.example4(nil), nil)
	contains(t, "the warning", o.said("warning"), "not stored", "read only")
	equal(t, "stored", b.get(), old.Authentication)
}

// A token session is not replaced by a sign-in that only happens to be of the same application, nor by what renews that.
func TestSignInInAnotherFlowIsNotStored(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		stored := b.session(time.Hour)
		b.put(stored)
		present := b.connects(b.example5(nil), nil).Session
		o := b.connects(asClient(b.app), &present)
		contains(t, "the warning", o.said("warning"), "not stored", "-WriteToSecretVault")
		o = b.connects(b.update(o.Session), &o.Session)
		equal(t, "warnings of a renewal", o.said("warning"), "")
		equal(t, "stored", b.get(), stored.Authentication)
		// Its refresh token is the vault's all the same, whoever uses it.
		b.holdsLast(b.connects(b.update(present), &o.Session))
		b.connects(b.example4(nil), &present)
		equal(t, "mode", b.connects(b.example5(nil), nil).Connection.AuthMode, session.ModeClientCredentials)
	})
}

// What the module has stored after -UseWebAuth.
func TestAuthorisationCodeWithARefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(-time.Hour)
		s.Connection.AuthMode = session.ModeAuthorisationCode
		b.put(s)
		o := b.connects(b.example5(nil), nil)
		b.holdsLast(o)
		b.asked("refresh_token")
		s.Connection.AuthScopes = "monitoring"
		s.Authentication.Refresh = session.Optional(b.service.IssueRefreshToken(b.app.ClientID))
		b.put(s)
		b.refuses(b.example5(nil), nil, "SignInRequired")
		b.asked("refresh_token")
	})
}

// Whatever can be stored can be read.
func TestOddNames(t *testing.T) {
	for _, name := range []struct{ vault, prefix string }{{"Tresor\u00a0eins", "NinjaOne"}, {vaultName, "\u00a0*[x]' \u2028"}, {"\t", " "}} {
		onBothKinds(t, plainName, func(t *testing.T, b *box) {
			b.name.Vault, b.name.Prefix = name.vault, name.prefix
			if b.who.secrets != nil {
				b.who.secrets.vaults[name.vault] = map[string]string{}
			}
			wrote := b.connects(b.example4(nil), nil)
			equal(t, "read", b.connects(b.example5(nil), nil).Authentication, wrote.Authentication)
		})
	}
}

// A file of the file backend copied to another session's name is not that session.
func TestCopiedFile(t *testing.T) {
	b := keyringBox(t, plainName)
	b.expired()
	mine := b.vaultFile()
	text := read(t, mine)
	b.name.Prefix = "Other"
	b.expired()
	b.runs(0, "vault", "remove", vaultName)
	other := b.vaultFile()
	write(t, other, text)
	b.refuses(b.example5(nil), nil, "VaultDataInvalid", `a copy of the session of vault "NinjaOneVault", prefix "NinjaOne"`)
	contains(t, "vault list", b.runs(0, "vault", "list").stdout, "a copy of the session")
	b.asked()
}
