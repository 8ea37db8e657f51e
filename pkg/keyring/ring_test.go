package keyring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// The lock is the child's for as long as it lives, however much it allocates meanwhile.
func TestLockIsHeld(t *testing.T) {
	useFile(t)
	t.Setenv("GOGC", "1") // for the child
	r := open()
	mustLock(t, r)
	defer r.Unlock()
	for range 3 {
		mustSave(t, r, key, large)
		mustLoad(t, r, key, large)
		mustFail(t, Open(50*time.Millisecond).Lock(t.Context(), lockFile(t), func() {}), TimedOut)
	}
}

// A save that was handed over is stored, and the lock held until then, though its parent is gone.
func TestSaveOutlivesItsParent(t *testing.T) {
	useFile(t)
	for n := range 10 {
		r := open()
		mustLock(t, r)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		data := append(large, byte(n))
		mustBeInterrupted(t, r.Save(ctx, key, "", data))
		r.Unlock()
		next := open()
		mustLock(t, next)
		mustLoad(t, next, key, data)
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

// Settings that can't be used are refused before anything is done.
func TestSettings(t *testing.T) {
	useFile(t)
	file := filepath.Join(t.TempDir(), "passphrase")
	refused := func(id failure.ID, words string) {
		t.Helper()
		err := open().Save(t.Context(), key, "", small)
		if told := failure.From(err); !failure.Is(err, id) || !strings.Contains(told.Message+told.Recommendation, words) {
			t.Errorf("%v, want %s and %q", err, id, words)
		}
	}
	t.Setenv(PassphraseFileVariable, file)
	refused(failure.VaultPassphraseMissing, "no such file")
	write(t, file, "correct horse ü", 0o644)
	refused(failure.VaultPassphraseMissing, "chmod 600")
	write(t, file, "\n", 0o600)
	refused(failure.VaultPassphraseMissing, "empty")
	t.Setenv(PassphraseFileVariable, filepath.Dir(file))
	refused(failure.VaultUnavailable, "not a plain file")
	t.Setenv(PassphraseFileVariable, "")
	refused(failure.VaultPassphraseMissing, "neither")
	t.Setenv(BackendVariable, "kwallet")
	refused(failure.InvalidSetting, "knows.Set it to secret-service, file or pass, or")
	t.Setenv(BackendVariable, "fiel")
	refused(failure.InvalidSetting, "Did you mean 'file'?")
	t.Setenv(BackendVariable, "secretservice")
	refused(failure.InvalidSetting, "Did you mean 'secret-service'?")
}
