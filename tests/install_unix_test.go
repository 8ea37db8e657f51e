//go:build unix

package tests

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"ninjaone-auth/tests/need"
)

// Links stay links: the file behind one is changed, and what is put beside goes beside the link, where $PSScriptRoot is.
func TestInstallThroughLinks(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder, elsewhere := b.module("2.8.0"), t.TempDir()
	if err := os.Rename(script(folder), script(elsewhere)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(script(elsewhere), script(folder)); err != nil {
		t.Fatal(err)
	}
	before, linked := content(t, folder), content(t, elsewhere)
	b.runs(0, "install")
	contains(t, "the file", read(t, script(elsewhere)), "# ninjaone-auth "+b.release+",")
	if link, err := os.Readlink(script(folder)); err != nil || !exists(filepath.Join(folder, "ninjaone-auth")) || len(content(t, elsewhere)) != 1 {
		t.Errorf("link %q, %v", link, err)
	}
	b.runs(0, "uninstall")
	equal(t, "the folder", content(t, folder), before)
	equal(t, "the file behind", content(t, elsewhere), linked)
}

func TestInstallOnAFullDisk(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	b.through = []string{"sh", "-c", `ulimit -f 0; exec "$0" "$@"`}
	b.hasProblem(b.reports(1, "install"), "ModuleFailed", folder, "file too large")
	equal(t, "the module", content(t, folder), before)
}

// As root, the modules of others stay theirs; as anybody else, one that may not be changed is refused.
func TestInstallAndRights(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		need.Missing(t, "root", "run the tests as root")
	}
	const nobody = 65534
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	if err := os.Chown(script(folder), nobody, nobody); err != nil {
		t.Fatal(err)
	}
	b.runs(0, "install")
	for name := range content(t, folder) {
		info, err := os.Stat(folder + name)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != nobody && name != "/NinjaOne.psd1" {
			t.Errorf("%s belongs to %d, %v", name, owner, info.Mode())
		}
	}
	b.runs(0, "uninstall")

	public, err := os.MkdirTemp("/var/tmp", "ninjaone-auth-tests-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(public) })
	b.modules = filepath.Join(public, "Modules")
	folder = b.module("2.8.0")
	program := filepath.Join(public, "it's ninjaone-auth")
	if err := os.WriteFile(program, []byte(read(t, binary)), 0o755); err != nil {
		t.Fatal(err)
	}
	fixMode := exec.Command("chmod", "-R", "go+rX", public)
	if output, err := fixMode.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	before := content(t, folder)
	for _, way := range [][]string{{"install"}, {"install", "--dry-run"}} {
		command := exec.Command(program, append(way, "--module", folder)...)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		var stderr bytes.Buffer
		command.Stderr = &stderr
		_ = command.Run()
		equal(t, "exit status", command.ProcessState.ExitCode(), 1)
		contains(t, "stderr", stderr.String(), "ModuleNotWritable", folder, `sudo '`+public+`/it'\''s ninjaone-auth' install --module '`+folder+`'`, "-Scope CurrentUser")
	}
	equal(t, "the module", content(t, folder), before)
}

// Whenever a process is killed, the module's file is the old or the new one, what the new one needs is there, and the module
// can be loaded. The next one clears up.
func TestKilledInstall(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	b.runs(0, "install")
	installed := content(t, folder)
	watched := []string{script(folder), filepath.Join(folder, "Connect-NinjaOne.ps1"), filepath.Join(folder, "ninjaone-auth")}
	states := map[string]string{} // a copy of the folder in each state that was seen
	kills := 0
	for round := range sample(80, 1000) {
		command := b.command([]string{"install", "uninstall"}[round%2])
		moment, file := time.After(time.Duration(rand.IntN(60))*time.Millisecond), ""
		if round%4 >= 2 {
			moment, file = time.After(300*time.Millisecond), watched[rand.IntN(3)]
		}
		first, _ := os.Stat(file)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		for waiting := true; waiting; { // for some time, or until a file has changed
			select {
			case <-moment:
				waiting = false
			default:
				now, _ := os.Stat(file)
				waiting = first == nil && now == nil || os.SameFile(first, now)
			}
		}
		_ = command.Process.Kill()
		if command.Wait() != nil {
			kills++
		}
		now := content(t, folder)
		state := ""
		for _, name := range []string{"/NinjaOne.psm1", "/Connect-NinjaOne.ps1", "/ninjaone-auth"} {
			switch now[name] {
			case before[name]:
				state += " old"
			case installed[name]:
				state += " new"
			default:
				t.Fatalf("%s is neither the old nor the new one", name)
			}
			delete(now, name)
		}
		if strings.HasPrefix(state, " new") && state != " new new new" {
			t.Fatalf("the line is there, but what it needs is not: %s", state)
		}
		if len(now) > 1 {
			state += " and leftovers"
		}
		if states[state] == "" {
			states[state] = t.TempDir()
			if err := os.CopyFS(filepath.Join(states[state], "NinjaOne"), os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d kills, and these states of module, wrapper and program: %v", kills, states)
	if kills < sample(20, 250) || len(states) < 5 {
		t.Error("they did not come at enough moments")
	}
	b.runs(0, "install")
	equal(t, "after install", content(t, folder), installed)
	write(t, filepath.Join(folder, "~ninjaone-auth-123"), "left by a process that was killed")
	b.runs(0, "uninstall")
	equal(t, "after uninstall", content(t, folder), before)

	pwsh := need.Command(t, "pwsh", "install PowerShell 7")
	load := "$ErrorActionPreference = 'Stop'\n"
	for _, copy := range states {
		load += fmt.Sprintf("Import-Module '%s/NinjaOne' -Force; $null = Get-Help Connect-NinjaOne; (Get-Command -Module NinjaOne).Count\n", copy)
	}
	output, err := exec.Command(pwsh, "-NoProfile", "-NonInteractive", "-Command", load).CombinedOutput()
	if err != nil || strings.TrimSpace(string(output)) != strings.TrimSpace(strings.Repeat("3\n", len(states))) {
		t.Errorf("%v: %s", err, output)
	}
}

func TestInstallFindsTheModule(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	b.runs(1, "install").saysOnly(t, "ModuleNotFound", b.modules, "--module")
	b.runs(1, "uninstall").saysOnly(t, "ModuleNotFound")
	b.hasProblem(b.reports(1, "install", "--module", b.home), "ModuleNotFound", b.home, "NinjaOne.psm1")

	folder := b.module("2.8.0")
	b.module("not-a-version")
	if err := os.Symlink(b.modules, filepath.Join(b.home, "nothing")); err != nil { // the second folder on PSModulePath
		t.Fatal(err)
	}
	for _, path := range []string{folder, script(folder), filepath.Join(folder, "NinjaOne.psd1"), filepath.Dir(folder)} {
		if i := b.reports(0, "status", "--module", path); len(i.Modules) != 1 || i.Modules[0].Path != folder {
			t.Errorf("%s: %+v", path, i)
		}
	}
	if i := b.reports(0, "status"); len(i.Modules) != 1 || i.Modules[0].Path != folder {
		t.Errorf("found by two ways: %+v", i)
	}
	// Without PSModulePath, the user's own modules; not the machine's here.
	own := filepath.Join(b.home, ".local/share/powershell/Modules/NinjaOne/2.7.0")
	if err := os.CopyFS(own, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	b.env = nil
	if i := b.reports(0, "status"); len(i.Modules) == 0 || i.Modules[0].Path != own {
		t.Errorf("in the user's folder: %+v", i)
	}
}

// While another process has the lock of the folder, a module is left alone.
func TestInstallWaits(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	other := flock.New(folder, flock.SetFlag(os.O_RDONLY))
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	command := b.command("install")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // one that would not wait has time to
	equal(t, "the module", content(t, folder), before)
	other.Close()
	if err := command.Wait(); err != nil || !exists(filepath.Join(folder, programName)) {
		t.Error(err)
	}
}
