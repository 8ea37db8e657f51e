package tests

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
	"ninjaone-auth/tests/standin"
)

func TestReadValid(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		for life, requests := range map[time.Duration]int{80 * time.Second: 0, 58 * time.Second: 1} {
			s := b.session(life)
			b.put(s)
			before := b.service.Counters().Connections
			o := b.connects(b.example5(nil), nil)
			equal(t, life.String()+" to live, connections", b.service.Counters().Connections-before, requests)
			if kept := o.Authentication == s.Authentication; kept != (requests == 0) {
				t.Errorf("%s to live: the token was used as it is: %v", life, kept)
			}
		}
	})
}

// What a read restores besides the tokens, and what the call itself may say.
func TestReadRestoresEverything(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(time.Hour)
		c := &s.Connection
		c.AuthScopes, c.AuthListenerPort, c.RedirectURI, c.ParseDateTimes = "monitoring", 8181, "https://redirect.example.uk:9090/auth", true
		c.WriteToSecretVault = false
		b.put(s)
		want := s
		want.Connection.ReadFromSecretVault = true
		equal(t, "read", b.connects(b.example5(nil), nil).Session, want)
		want.Connection.WriteToSecretVault = true
		equal(t, "read", b.connects(b.example5(parameters{"WriteToSecretVault": true}), nil).Session, want)
	})
}

func TestReadRenews(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		old := b.expired()
		o := b.connects(b.example5(nil), nil)
		b.asked("refresh_token")
		b.holdsLast(o)
		if b.who.secrets != nil {
			equal(t, "written", b.who.secrets.names(b.name.Prefix), []string{"AuthMode", "Refresh", "Access", "Expires"})
		}
		if o.Authentication.Refresh == old.Authentication.Refresh {
			t.Error("the refresh token was not rotated")
		}
		b.connects(b.example5(nil), nil)
		b.asked("refresh_token")
	})
}

func TestReadRenewsByClientCredentials(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(-time.Hour)
		s.Connection.AuthMode, s.Connection.AuthScopes, s.Authentication.Refresh = session.ModeClientCredentials, "monitoring", ""
		b.put(s)
		o := b.connects(b.example5(nil), nil)
		b.asked("client_credentials")
		equal(t, "scope", b.tokenRequests()[0].Scope, "monitoring")
		equal(t, "stored", b.get(), o.Authentication)
	})
}

func TestReadWithoutRotation(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.app = b.machine.app(standin.App{KeepRefreshToken: true})
		b.expired()
		o := b.connects(b.example5(nil), nil)
		b.holdsLast(o)
		if b.who.secrets != nil {
			equal(t, "written", b.who.secrets.names(b.name.Prefix), []string{"AuthMode", "Access", "Expires"})
		}
	})
}

func TestSignInRequired(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(-time.Hour)
		s.Connection.AuthMode, s.Authentication.Refresh = session.ModeAuthorisationCode, ""
		b.put(s)
		b.refuses(b.example5(nil), nil, "SignInRequired", "Connect-NinjaOne", "-UseWebAuth", "-VaultName '"+vaultName+"'", b.app.ClientID)
		b.asked()
	})
}

func TestReadWithDeadRefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		old := b.expired()
		b.service.RevokeRefresh(b.app.ClientID)
		b.refuses(b.example5(nil), nil, "InvalidRefreshToken", "Connect-NinjaOne", "-UseWebAuth", "-VaultName '"+vaultName+"'", b.app.ClientID)
		b.asked("refresh_token")
		equal(t, "stored", b.get(), old.Authentication)
	})
}

// The recommendation has to lead back to the same session.
func TestSignInAnewNamesThePrefix(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.name.Prefix = "Kunde"
		b.expired()
		b.service.RevokeRefresh(b.app.ClientID)
		b.refuses(b.example5(nil), nil, "InvalidRefreshToken", "-SecretPrefix 'Kunde'")
	})
}

func TestDamagedSession(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		s := b.session(time.Hour)
		s.Connection.ClientSecret, s.Connection.URL = "", "https://evil.example/secret-looking-value"
		b.put(s)
		o := b.refuses(b.example5(nil), nil, "VaultDataInvalid", "ClientSecret", "URL", "-WriteToSecretVault")
		if strings.Contains(o.Message, "evil.example") {
			t.Errorf("the message holds a value: %s", o.Message)
		}
		b.asked()
		b.connects(b.example4(nil), nil)
		b.connects(b.example5(nil), nil)
	})
}

// A vault as the module's own code, on a German machine, left it.
func TestVaultOfTheModule(t *testing.T) {
	b := secretManagementBox(t, plainName)
	refresh := b.service.IssueRefreshToken(b.app.ClientID)
	maps.Copy(b.who.secrets.vaults[vaultName], map[string]string{
		"NinjaOneAuthMode": "Token Authentication", "NinjaOneURL": "https://eu.ninjarmm.com", "NinjaOneInstance": "eu",
		"NinjaOneClientId": b.app.ClientID, "NinjaOneClientSecret": b.app.ClientSecret,
		"NinjaOneAuthScopes": "monitoring management control offline_access", "NinjaOneRedirectURI": "http://localhost:9090/",
		"NinjaOneUseSecretManagement": "True", "NinjaOneWriteToSecretVault": "True", "NinjaOneReadFromSecretVault": "False",
		"NinjaOneVaultName": vaultName, "NinjaOneType": "Bearer", "NinjaOneAccess": "of-the-module",
		"NinjaOneExpires": "24.11.2099 08:00:00", "NinjaOneRefresh": refresh,
	})
	o := b.connects(b.example5(nil), nil)
	b.asked("refresh_token") // no zone: counts as expired
	b.holdsLast(o)
	if c := o.Connection; !c.UseSecretManagement || !c.WriteToSecretVault || c.AuthListenerPort != 9090 || c.ClientSecret != b.app.ClientSecret {
		t.Errorf("connection %+v", c)
	}
}

// A reader that does not lock must never pair a new Expires with an old access token: it reads them in the reverse of
// the order in which they are written.
func TestReadsInTheReverseOfWriting(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.put(b.session(time.Hour))
	b.connects(b.example5(nil), nil)
	at := func(name string) int { return slices.Index(b.who.secrets.read, "NinjaOne"+name) }
	if !(at("Expires") < at("Access") && at("Access") < at("Refresh")) {
		t.Errorf("read in the order %v", b.who.secrets.read)
	}
}

// A renewal by the module is written back to the vault that the session came from.
func TestRenewalOfReadSession(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		for _, mode := range []session.Mode{session.ModeToken, session.ModeClientCredentials} {
			s := b.session(time.Hour)
			s.Connection.AuthMode, s.Connection.WriteToSecretVault = mode, false
			if mode == session.ModeClientCredentials {
				s.Authentication.Refresh = ""
			}
			b.put(s)
			read := b.connects(b.example5(nil), nil).Session
			o := b.connects(b.update(read), &read)
			if stored := b.get(); stored != o.Authentication || stored.Access == s.Authentication.Access {
				t.Errorf("%s: stored %+v\nwant %+v", mode, stored, o.Authentication)
			}
			equal(t, "connection", o.Connection, read.Connection)
		}
	})
}

// The session in one runspace is older than what another process has left in the vault.
func TestRenewalAfterAnother(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.expired()
		mine.Connection.ReadFromSecretVault = true
		other := b.connects(b.example5(nil), nil)
		o := b.connects(b.update(mine), &mine)
		b.asked("refresh_token")
		equal(t, "what the other process has stored", o.Authentication, other.Authentication)
	})
}

// The other process's token has run out by now too: its refresh token is the one to use, at once.
func TestRenewalWithNewerRefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.expired()
		mine.Connection.ReadFromSecretVault = true
		stored := b.connects(b.example5(nil), nil).Session
		stored.Authentication.Expires = time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
		b.put(stored)
		b.holdsLast(b.connects(b.update(mine), &mine))
		b.asked("refresh_token", "refresh_token")
		equal(t, "the second one's status (the dead token was tried first)", b.tokenRequests()[1].Status, 200)
	})
}

// A caller that gives a refresh token of its own, and a dead one, gets the session all the same.
func TestRenewalReadsOnceMoreBeforeGivingUp(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.session(-time.Hour)
		mine.Connection.ReadFromSecretVault = true
		stored := mine
		stored.Authentication.Refresh = session.Optional(b.service.IssueRefreshToken(b.app.ClientID))
		b.put(stored) // with the same access token, so that nothing tells that it is newer
		mine.Authentication.Refresh = "dead"
		b.holdsLast(b.connects(b.update(mine), &mine))
		stored.Authentication.Refresh = "dead too"
		b.put(stored)
		b.refuses(b.update(mine), &mine, "InvalidRefreshToken", "Connect-NinjaOne")
		b.asked("refresh_token", "refresh_token", "refresh_token", "refresh_token")
	})
}

// A new sign-in with a dead refresh token gets tokens of its own by the stored one, not those that are stored.
func TestSignInWithADeadRefreshToken(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		stored := b.session(time.Hour)
		b.put(stored)
		o := b.connects(b.example4(parameters{"UseClientAuth": nil, "UseTokenAuth": true, "RefreshToken": "dead"}), nil)
		b.holdsLast(o)
		b.asked("refresh_token", "refresh_token")
		if o.Authentication.Access == stored.Authentication.Access {
			t.Error("the stored access token was taken")
		}
	})
}

// While a read renews, another writer whom no lock keeps out (another machine) stores a newer token.
func TestReadOnceMoreBeforeGivingUp(t *testing.T) {
	b := secretManagementBox(t, plainName)
	s := b.session(-time.Hour)
	newer := s.Authentication.Refresh
	s.Authentication.Refresh = "dead"
	b.put(s)
	reads := 0
	b.who.secrets.asked = func(m message) {
		if len(m.Names) == len(every) {
			if reads++; reads == 3 { // to find it, under the lock, and after the refusal
				b.who.secrets.mutex.Lock()
				b.who.secrets.vaults[vaultName]["NinjaOneRefresh"] = string(newer)
				b.who.secrets.mutex.Unlock()
			}
		}
	}
	b.holdsLast(b.connects(b.example5(nil), nil))
	b.asked("refresh_token", "refresh_token")
}

// What could not be stored lives in the caller's session only, so that is what its next renewal has to use.
func TestRenewalAfterFailedStoring(t *testing.T) {
	for _, fullAt := range []string{"Refresh", "Access", "Expires"} {
		t.Run(fullAt, func(t *testing.T) {
			b := secretManagementBox(t, plainName)
			b.expired()
			b.who.secrets.fullAt = "NinjaOne" + fullAt
			mine := b.connects(b.example5(nil), nil).Session
			b.who.secrets.fullAt = ""
			b.holdsLast(b.connects(b.update(mine), &mine))
		})
		t.Run(fullAt+", the old token still lives", func(t *testing.T) {
			b := secretManagementBox(t, plainName)
			mine := b.session(30 * time.Minute)
			b.put(mine)
			mine.Connection.ReadFromSecretVault = true
			b.who.secrets.fullAt = "NinjaOne" + fullAt
			mine = b.connects(b.update(mine), &mine).Session
			b.who.secrets.fullAt = ""
			b.holdsLast(b.connects(b.update(mine), &mine))
		})
	}
}

// Another sign-in to the same vault with other scopes is what was asked for, whatever another process has stored.
func TestSignInWithOtherScopes(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.connects(b.example4(nil), nil).Session
		stored := mine
		stored.Authentication.Access, stored.Authentication.Expires = "of another process", stored.Authentication.Expires.Add(time.Minute)
		b.put(stored)
		o := b.connects(b.example4(parameters{"Scopes": "monitoring"}), &mine)
		if o.Connection.AuthScopes != "monitoring" || b.tokenRequests()[1].Scope != "monitoring" {
			t.Errorf("the session with %q holds a token of other scopes", o.Connection.AuthScopes)
		}
		equal(t, "stored", b.get(), o.Authentication)
	})
}

// The vault's session is of another flow by now: its token is not taken for one of the flow that was asked for.
func TestRenewalOfOverwrittenSession(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.connects(b.example4(nil), nil).Session
		b.put(b.session(2 * time.Hour))
		o := b.connects(b.update(mine), &mine)
		if o.Connection.AuthMode != session.ModeClientCredentials || o.Authentication.Refresh != "" {
			t.Errorf("a %s session holds %+v", o.Connection.AuthMode, o.Authentication)
		}
	})
}

// Another application in the same vault is nobody's renewal.
func TestVaultOfAnotherApplication(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.session(-time.Hour)
		mine.Connection.ReadFromSecretVault = true
		first := b.app
		b.app = b.machine.app(standin.App{})
		b.put(b.session(time.Hour))
		b.app = first
		b.holdsLast(b.connects(b.update(mine), &mine))
		b.asked("refresh_token")
	})
}

// Two sign-ins of two applications meet in one vault: what is left is one of the sessions, never a mixture.
func TestSignInsThatMeet(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.put(b.session(time.Hour))
	other := b.session(time.Hour)
	other.Connection.ClientID, other.Connection.ClientSecret = "other", "other-secret"
	b.who.secrets.asked = func(m message) {
		if m.Type == "setSecrets" {
			b.put(other) // the other one, after this one has looked
		}
	}
	b.connects(b.example4(nil), nil)
	if o := b.connects(b.example5(nil), nil); o.Connection.ClientID != b.app.ClientID || o.Connection.ClientSecret != b.app.ClientSecret {
		t.Errorf("a token of %s is stored with the client id %s", b.app.ClientID, o.Connection.ClientID)
	}
}

// A session that example 4 has stored is written back by the module's renewals, with or without another runspace.
func TestRenewalOfWrittenSession(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		for _, more := range []parameters{nil, {"UseClientAuth": nil, "UseTokenAuth": true}} {
			if more != nil {
				more["RefreshToken"] = b.service.IssueRefreshToken(b.app.ClientID)
			}
			mine := b.connects(b.example4(more), nil).Session
			o := b.connects(b.update(mine), &mine)
			if b.get() != o.Authentication || o.Authentication.Access == mine.Authentication.Access {
				t.Errorf("stored %+v\nwant %+v", b.get(), o.Authentication)
			}
		}
	})
}

// Sessions of two prefixes do not wait for each other.
func TestRenewalsOfTwoPrefixes(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		b.name.Prefix = "Other"
		b.expired()
		b.hold()
		other := b.start(request{Parameters: b.example5(nil), Caller: b.who})
		b.awaitRequests(1)
		b.name = plainName
		if o := b.connects(b.example5(nil), nil); strings.Contains(o.said("verbose"), "Waiting") {
			t.Errorf("it waited for %s", o.elapsed)
		}
		b.release()
		other.wait().succeeded(t)
	})
}

// What another has stored in the middle of a renewal is taken over whole: here an administrator has changed the secret.
func TestReadTakesOverAnotherSessionWhole(t *testing.T) {
	b := secretManagementBox(t, plainName)
	b.expired()
	b.service.RevokeRefresh(b.app.ClientID)
	b.hold()
	reading := b.start(request{Parameters: b.example5(nil), Caller: b.who})
	b.awaitRequests(1)
	newer := b.session(time.Hour)
	newer.Connection.ClientSecret = "a-changed-secret"
	b.put(newer)
	b.release()
	newer.Connection.ReadFromSecretVault = true
	equal(t, "read", reading.wait().succeeded(t).Session, newer)
	equal(t, "written", b.who.secrets.names(b.name.Prefix), []string{"AuthMode"}) // to find out whether it can be stored
}
