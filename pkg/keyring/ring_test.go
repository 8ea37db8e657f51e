package keyring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/tests/need"
)

func TestFile(t *testing.T) {
	useFile(t)
	roundTrip(t)
}

func TestPassphraseInTheEnvironment(t *testing.T) {
	useFile(t)
	t.Setenv(PassphraseFileVariable, "")
	t.Setenv(passphraseVariable, "correct horse")
	PrepareEnvironment()
	defer PrepareEnvironment()
	if _, inherited := os.LookupEnv(passphraseVariable); inherited {
		t.Error("child processes get the passphrase")
	}
	mustSave(t, open(), key, small)
	mustLoad(t, open(), key, small)
}

func TestDamagedFiles(t *testing.T) {
	file := filepath.Join(useFile(t), key)
	mustSave(t, open(), key, small)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "garbage", string(whole[:len(whole)/2]), string(whole[:len(whole)-9]) + "AAAAAAAAA"} {
		write(t, file, text, 0o600)
		_, err = open().Load(t.Context(), key)
		mustFail(t, err, Damaged)
		if items, err := open().List(t.Context(), ours); err != nil || len(items) != 1 || items[0].Problem == nil {
			t.Errorf("List = %+v, %v", items, err)
		}
	}
	mustSave(t, open(), key, small)
	mustLoad(t, open(), key, small)
}

func TestUnsupportedBackend(t *testing.T) {
	home(t)
	other := map[bool]string{true: "secret-service", false: "wincred"}[os.PathSeparator == '\\']
	t.Setenv(BackendVariable, other)
	_, err := open().Load(t.Context(), key)
	mustFail(t, err, Unavailable)
}

func TestPass(t *testing.T) {
	usePass(t, "")
	roundTrip(t)
	t.Setenv("GNUPGHOME", t.TempDir())
	_, err := open().Load(t.Context(), key)
	mustFail(t, err, Failed, "gpg")
}

// A key with a passphrase makes gpg ask for it. Where nobody sees the question, it would wait for ever: that is what the
// child is for, which goes with all that it has started.
func TestPassThatAsks(t *testing.T) {
	usePass(t, "secret")
	pinentry := filepath.Join(t.TempDir(), "pinentry")
	if err := os.Symlink(os.Args[0], pinentry); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(os.Getenv("GNUPGHOME"), "gpg-agent.conf"), "pinentry-program "+pinentry+"\n", 0o600)
	mustSave(t, open(), key, small) // which needs the public key only
	if output, err := exec.Command("gpgconf", "--kill", "gpg-agent").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		asked := filepath.Join(os.Getenv("GNUPGHOME"), "asked")
		for _, err := os.Stat(asked); err != nil; _, err = os.Stat(asked) {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	_, err := open().Load(ctx, key)
	mustBeInterrupted(t, err)
	_, err = Open(500*time.Millisecond).Load(t.Context(), key)
	mustFail(t, err, TimedOut)
}

// usePass chooses pass, with a key made for the test.
func usePass(t *testing.T, passphrase string) {
	t.Helper()
	need.Command(t, "pass", "apt-get install pass")
	need.Command(t, "gpg", "apt-get install gnupg")
	home(t)
	// The agent's socket needs a short path.
	keys, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", keys)
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--kill", "all")
		kill.Env = append(os.Environ(), "GNUPGHOME="+keys)
		_ = kill.Run()
		os.RemoveAll(keys)
	})
	for _, command := range [][]string{
		{"gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", passphrase, "--quick-generate-key", "test@example.org", "future-default", "default", "never"},
		{"pass", "init", "test@example.org"},
	} {
		if output, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, output)
		}
	}
	t.Setenv(BackendVariable, "pass")
}

func TestPassIsNotInstalled(t *testing.T) {
	home(t)
	t.Setenv(BackendVariable, "pass")
	t.Setenv("PATH", t.TempDir())
	_, err := open().Load(t.Context(), key)
	mustFail(t, err, Unavailable, "not installed")
}

// A limit on the size of files stands for a full disk. Only a shell sets such a limit.
func TestFullDisk(t *testing.T) {
	for backend, use := range map[string]func(*testing.T){"file": func(t *testing.T) { useFile(t) }, "pass": func(t *testing.T) { usePass(t, "") }} {
		t.Run(backend, func(t *testing.T) {
			use(t)
			mustSave(t, open(), key, small)
			output, err := exec.Command("bash", "-c", `ulimit -f 8; exec "$0" save-large`, os.Args[0]).CombinedOutput()
			if err != nil || strings.HasPrefix(string(output), "<nil>") {
				t.Errorf("the save under a limit: %v, %s", err, output)
			}
			mustLoad(t, open(), key, small)
			mustSave(t, open(), key, large)
			mustLoad(t, open(), key, large)
		})
	}
}

// Many at once: each reads what the one before it wrote.
func TestLockedUpdates(t *testing.T) {
	useFile(t)
	mustSave(t, open(), key, numbered(0))
	var group sync.WaitGroup
	const workers = 20
	for range workers {
		group.Go(func() {
			r := open()
			if err := r.Lock(t.Context(), lockFile(t), func() {}); err != nil {
				t.Error(err)
				return
			}
			defer r.Unlock()
			data, err := r.Load(t.Context(), key)
			if err == nil {
				err = r.Save(t.Context(), key, "", numbered(number(data)+1))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	mustLoad(t, open(), key, numbered(workers))
}

func numbered(n int) []byte { return fmt.Appendf(nil, "%8d%s", n, large) }

func number(data []byte) (n int) {
	_, _ = fmt.Sscan(string(data[:8]), &n)
	return n
}

func TestLockIsBusy(t *testing.T) {
	useFile(t)
	holder := open()
	mustLock(t, holder)
	waited := 0
	mustFail(t, Open(500*time.Millisecond).Lock(t.Context(), lockFile(t), func() { waited++ }), TimedOut)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	mustBeInterrupted(t, open().Lock(ctx, lockFile(t), func() { waited++ }))
	if waited != 2 {
		t.Errorf("waiting was told %d times", waited)
	}
	holder.Unlock()
	mustLock(t, holder)
	holder.Unlock()
	mustFail(t, holder.Lock(t.Context(), filepath.Join(lockFile(t), "below a file"), func() {}), LockFailed)
}

// A save that was handed over is stored, and the lock held until then, though its parent is gone.
func TestSaveOutlivesItsParent(t *testing.T) {
	useFile(t)
	for n := range 10 {
		r := open()
		mustLock(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mustBeInterrupted(t, r.Save(ctx, key, "", numbered(n)))
		r.Unlock()
		next := open()
		mustLock(t, next)
		mustLoad(t, next, key, numbered(n))
		next.Unlock()
	}
}

// A child that is killed takes its lock along, but not the only copy of a token.
func TestSaveOutlivesItsChild(t *testing.T) {
	useFile(t)
	r := open()
	mustLock(t, r)
	kill(r.locked.program)
	mustSave(t, r, key, small)
	mustLoad(t, open(), key, small)
}

// The same with a real parent, killed at random moments while it saves without a pause.
func TestKilledParent(t *testing.T) {
	useFile(t)
	hits := 0
	for round := range 20 {
		announced := filepath.Join(t.TempDir(), "announced")
		parent := exec.Command(os.Args[0], "save-for-ever", lockFile(t), announced)
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		for last(announced) == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(rand.N(150 * time.Millisecond))
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait()
		r := open()
		mustLock(t, r)
		data, err := r.Load(t.Context(), key)
		if err != nil && !(round == 0 && last(announced) == 1) {
			t.Fatalf("round %d: %v", round, err)
		}
		if err == nil {
			if n := number(data); n == last(announced)-1 {
				hits++
			} else if n != last(announced) {
				t.Errorf("round %d: stored is %d, announced was %d", round, n, last(announced))
			}
			time.Sleep(50 * time.Millisecond)
			mustLoad(t, r, key, data)
		}
		r.Unlock()
	}
	t.Logf("%d of 20 kills came before the save that was announced", hits)
}

// saveForEver is a parent to be killed: it announces the number that it saves next.
func saveForEver(lockFile, announced string) {
	r := open()
	for {
		if err := r.Lock(context.Background(), lockFile, func() {}); err != nil {
			panic(err)
		}
		n := 1
		if data, err := r.Load(context.Background(), key); err == nil {
			n = number(data) + 1
		} else if asProblem(err).Kind != NotFound {
			panic(err)
		}
		if err := os.WriteFile(announced+".new", fmt.Append(nil, n), 0o600); err != nil {
			panic(err)
		}
		if err := os.Rename(announced+".new", announced); err != nil {
			panic(err)
		}
		if err := r.Save(context.Background(), key, "", numbered(n)); err != nil {
			panic(err)
		}
		r.Unlock()
	}
}

// last is the number that was announced last.
func last(announced string) (n int) {
	text, _ := os.ReadFile(announced)
	_, _ = fmt.Sscan(string(text), &n)
	return n
}

func TestChildThatIsNone(t *testing.T) {
	useFile(t)
	r := open()
	mustLock(t, r)
	kill(r.locked.program)
	_, err := r.Load(t.Context(), key)
	mustFail(t, err, Failed, "ended")
}

func TestServeTakesGarbage(t *testing.T) {
	in, commands := io.Pipe()
	results, out := io.Pipe()
	served := make(chan error)
	go func() { served <- Serve("file", in, out) }()
	lines := json.NewDecoder(results)
	for range 2 {
		var r result
		fmt.Fprintln(commands, `{"Operation":"none"}`)
		if err := lines.Decode(&r); err != nil {
			t.Fatal(err)
		}
		mustFail(t, r.err(), Failed, `"none"`)
	}
	fmt.Fprintln(commands, "garbage")
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	var dismissed any = "path"
	func() {
		defer func() { mustFail(t, panicked(recover()), Locked) }()
		_ = dismissed.(int)
	}()
	if p := panicked("secret"); p.Kind != Failed || strings.Contains(p.Reason, "secret") {
		t.Errorf("a panic is %+v", p)
	}
}

// What an unknown name of a backend and a missing passphrase are, is said before anything is done.
func TestSettings(t *testing.T) {
	useFile(t)
	t.Setenv(PassphraseFileVariable, "")
	if err := open().Save(t.Context(), key, "", small); !failure.Is(err, failure.VaultPassphraseMissing) {
		t.Errorf("without a passphrase: %v", err)
	}
	t.Setenv(BackendVariable, "kwallet")
	_, err := open().Load(t.Context(), key)
	if !failure.Is(err, failure.VaultUnavailable) || !strings.Contains(failure.From(err).Recommendation, "file, keychain, pass, secret-service, wincred") {
		t.Errorf("an unknown backend: %v", err)
	}
}
