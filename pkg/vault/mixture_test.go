package vault

import (
	"context"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/session"
)

// slowCaller is a caller whose vault takes a while for each secret, in which others ask for theirs.
type slowCaller struct {
	*fakeCaller
	mutex *sync.Mutex
	delay time.Duration
}

func (c slowCaller) GetSecrets(ctx context.Context, vault string, names []string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range names {
		time.Sleep(c.delay)
		c.mutex.Lock()
		one, err := c.fakeCaller.GetSecrets(ctx, vault, []string{name})
		c.mutex.Unlock()
		if err != nil {
			return nil, err
		}
		if one[name] != "" {
			found[name] = one[name]
		}
	}
	return found, nil
}

func (c slowCaller) SetSecrets(ctx context.Context, vault string, secrets []Secret) error {
	for _, s := range secrets {
		time.Sleep(c.delay)
		c.mutex.Lock()
		err := c.fakeCaller.SetSecrets(ctx, vault, []Secret{s})
		c.mutex.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// A thousand reads beside two writers that follow each other without a pause, each with a session of another tenant: every
// read is answered, with one session or the other.
func TestReadsBesideWriters(t *testing.T) {
	useFile(t)
	var both sync.WaitGroup
	for _, delay := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond} {
		both.Go(func() { readBesideWriters(t, NewName("V"+delay.String(), ""), delay) })
	}
	both.Wait()
}

func readBesideWriters(t *testing.T, name Name, delay time.Duration) {
	caller := slowCaller{newCaller(name.Vault), &sync.Mutex{}, delay}
	tenants := [2]session.Session{testSession(name), testSession(name)}
	c, a := &tenants[1].Connection, &tenants[1].Authentication
	c.Instance, c.URL, c.ClientID, c.ClientSecret, c.AuthScopes = "oc", "https://oc.ninjarmm.com", "other-id", "other", "offline_access"
	c.AuthListenerPort, c.RedirectURI, c.ParseDateTimes, c.WriteToSecretVault = 8080, "http://localhost:8080/", true, false
	a.Access, a.Refresh, a.Expires = "other-access", "other-refresh", a.Expires.Add(time.Hour)
	mustSave(t, NewSecretManagement(name, caller, &sink{}), tenants[0])

	done, saves := make(chan struct{}), [2]int{}
	var writers, readers sync.WaitGroup
	for i, s := range tenants {
		writers.Go(func() {
			for ; ; saves[i]++ {
				select {
				case <-done:
					return
				default:
					mustSave(t, NewSecretManagement(name, caller, &sink{}), s)
				}
			}
		})
	}
	for range 100 {
		readers.Go(func() {
			for range 10 {
				got, err := NewSecretManagement(name, caller, &sink{}).Load(t.Context())
				if err != nil || got != tenants[0] && got != tenants[1] {
					t.Errorf("read %+v, %v", got, err)
				}
			}
		})
	}
	readers.Wait()
	close(done)
	writers.Wait()
	if saves[0] < 4 || saves[1] < 4 {
		t.Errorf("the writers stored %v times, which proves little", saves)
	}
	t.Logf("%s a secret: 1,000 reads beside %d and %d writes", delay, saves[0], saves[1])
}
