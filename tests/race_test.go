package tests

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"ninjaone-auth/tests/standin"
)

// A round's renewal takes this long at the service, so that kills fall into it.
const rotation = 60 * time.Millisecond

// TestRace is fifty processes at once on one session that has run out.
func TestRace(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		b.expired()
		outcomes := b.all(50, nil)
		for _, o := range outcomes {
			if o.Type != "session" {
				t.Fatalf("%s: %s", o.ID, o.Message)
			}
			if o.Authentication != outcomes[0].Authentication {
				t.Error("the processes got different sessions")
			}
		}
		b.holdsLast(outcomes[0])
		b.asked("refresh_token")
	})
}

// The module's own renewals, each with the session that its runspace holds.
func TestRaceOfRenewals(t *testing.T) {
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		mine := b.expired()
		mine.Connection.ReadFromSecretVault = true
		conversations := make([]*conversation, 20)
		for i := range conversations {
			conversations[i] = b.start(request{Parameters: b.update(mine), Session: &mine, Caller: b.who})
		}
		for _, c := range conversations {
			o := c.wait()
			if o.Type != "session" {
				t.Fatalf("%s: %s", o.ID, o.Message)
			}
			b.holdsLast(o)
		}
		b.asked("refresh_token")
	})
}

// all reads the session in n processes at once and waits for them; kill is called for each that has started.
func (b *box) all(n int, kill func(*conversation)) []*outcome {
	b.t.Helper()
	conversations := make([]*conversation, n)
	for i := range conversations {
		conversations[i] = b.start(request{Parameters: b.example5(nil), Caller: b.who})
		if kill != nil && i%2 == 0 {
			kill(conversations[i])
		}
	}
	outcomes := make([]*outcome, n)
	for i, c := range conversations {
		outcomes[i] = c.wait()
	}
	return outcomes
}

// TestRaceWithKills kills half of the processes at random moments, 20 rounds long. The next read always goes on, but
// where a kill fell between the service's rotation and the answer's arrival: nothing can save those, so they are counted.
func TestRaceWithKills(t *testing.T) {
	const rounds, processes = 20, 8
	onBothKinds(t, plainName, func(t *testing.T, b *box) {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		if err := b.service.Fail(standin.Fault{Kind: standin.Slow, Delay: rotation}); err != nil {
			t.Fatal(err)
		}
		killed, renewals, lost := 0, 0, 0
		for round := range rounds {
			b.expired()
			before := b.service.Counters().Refreshes
			outcomes := b.all(processes, func(c *conversation) {
				after := time.Duration(random.Int64N(int64(400 * time.Millisecond)))
				time.AfterFunc(after, func() { _ = c.command.Process.Kill() })
			})
			b.settle()
			renewals += b.service.Counters().Refreshes - before
			holdsLast := string(b.get().Refresh) == b.service.CurrentRefreshToken(b.app.ClientID)
			if holdsLast {
				b.goesOn(round)
			} else {
				lost++
				b.wasUnavoidable(round, outcomes)
			}
			for i, o := range outcomes {
				if o.status == -1 {
					killed++
				} else if o.Type != "session" && holdsLast {
					t.Errorf("round %d, process %d: %s: %s", round, i, o.ID, o.Message)
				}
			}
		}
		t.Logf("seed %d: %d of %d processes killed, %d renewals, %d of them lost between the service and the process",
			seed, killed, rounds*processes, renewals, lost)
	})
}

// settle waits for the children of killed processes, which finish what was handed over to them under the lock.
func (b *box) settle() {
	b.t.Helper()
	files, err := filepath.Glob(filepath.Join(b.home, "cache", "ninjaone-auth", "locks", "*"))
	if err != nil || len(files) > 1 {
		b.t.Fatalf("the locks are %v, %v", files, err)
	}
	for _, file := range files {
		lock := flock.New(file)
		if err := lock.Lock(); err != nil {
			b.t.Fatal(err)
		}
		_ = lock.Close()
	}
}

// goesOn fails the test unless one more read succeeds.
func (b *box) goesOn(round int) {
	b.t.Helper()
	o := b.call(request{Parameters: b.example5(nil), Caller: b.who})
	if o.Type != "session" || !b.service.IsValidAccess(o.Authentication.Access) {
		b.t.Errorf("round %d: the next read says %s: %s", round, o.ID, o.Message)
	}
}

// wasUnavoidable fails the test if the answer that was lost had arrived at the process that asked for it, which debug tells.
func (b *box) wasUnavoidable(round int, outcomes []*outcome) {
	b.t.Helper()
	asked, arrived, killed := 0, 0, 0
	for _, o := range outcomes {
		asked += strings.Count(o.said("verbose"), "Requesting a token")
		arrived += strings.Count(o.said("debug"), "200 OK")
		if o.status == -1 && strings.Contains(o.said("verbose"), "Requesting a token") {
			killed++
		}
	}
	if killed == 0 || arrived >= asked {
		b.t.Errorf("round %d: of %d token requests %d were answered and %d killed, but the vault does not hold the last token", round, asked, arrived, killed)
	}
	b.refuses(b.example5(nil), nil, "InvalidRefreshToken", "-UseWebAuth")
}

// A process that is killed while it stores leaves the older session or the newer one.
func TestKilledWhileSaving(t *testing.T) {
	b := keyringBox(t, plainName)
	random := rand.New(rand.NewPCG(5, 0))
	for range 15 {
		c := b.start(request{Parameters: b.example4(nil), Caller: b.who})
		b.awaitRequest(len(b.service.Requests()) + 1)
		time.Sleep(time.Duration(random.Int64N(int64(30 * time.Millisecond))))
		_ = c.command.Process.Kill()
		c.wait()
		b.settle()
		if _, err := os.Stat(b.vaultDirectory()); err == nil {
			if o := b.call(request{Parameters: b.example5(nil), Caller: b.who}); o.Type != "session" && o.ID != "VaultNotFound" {
				t.Errorf("%s: %s", o.ID, o.Message)
			}
		}
	}
}

// BenchmarkRace sets 50 processes that wait for one renewal against one renewal and 50 reads, one after another.
func BenchmarkRace(b *testing.B) {
	for kind, open := range kinds {
		b.Run(kind, func(b *testing.B) {
			box := open(b, plainName)
			timed := func(n int) time.Duration {
				started := time.Now()
				for _, o := range box.all(n, nil) {
					if o.Type != "session" {
						b.Fatal(o.Message)
					}
				}
				return time.Since(started)
			}
			var ratios float64
			for b.Loop() {
				box.expired()
				together := timed(50)
				box.expired()
				alone := timed(1)
				for range 50 {
					alone += timed(1)
				}
				ratios += float64(together) / float64(alone)
			}
			b.ReportMetric(ratios/float64(b.N), "times-one-renewal-and-50-reads")
		})
	}
}
