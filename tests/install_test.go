package tests

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ninjaone-auth/pkg/install"
	"ninjaone-auth/tests/need"
)

// moduleBox is a machine with a folder of PowerShell modules.
type moduleBox struct {
	*machine
	modules string
}

func newModuleBox(t testing.TB) *moduleBox {
	b := &moduleBox{machine: &machine{t: t, home: t.TempDir()}, modules: filepath.Join(t.TempDir(), "Modules ü ' x")}
	service := newMachine(t).service
	b.service = service
	b.env = []string{"PSModulePath=" + b.modules + ":" + filepath.Join(b.home, "nothing")}
	return b
}

// module puts the miniature of the NinjaOne module into the folder of a version, and returns that.
func (b *moduleBox) module(version string) string {
	b.t.Helper()
	folder := filepath.Join(b.modules, "NinjaOne", version)
	if err := os.CopyFS(folder, os.DirFS("NinjaOne")); err != nil {
		b.t.Fatal(err)
	}
	write(b.t, filepath.Join(folder, "NinjaOne.psd1"), strings.Replace(read(b.t, "NinjaOne/NinjaOne.psd1"), "2.8.0", version, 1))
	return folder
}

func script(folder string) string { return filepath.Join(folder, "NinjaOne.psm1") }

// content is all that a folder holds: names, modes and texts.
func content(t testing.TB, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() {
			all[strings.TrimPrefix(path, folder)] = fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256([]byte(read(t, path))))
		} else if err == nil {
			target, _ := os.Readlink(path)
			all[strings.TrimPrefix(path, folder)] = "link to " + target
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type installation struct {
	Modules []struct {
		install.Module
		Changed bool
		Before  string
	}
	Sessions []any
	Problems []struct{ ID, Message, Recommendation, Target string }
}

// reports is what a command says with --json.
func (b *moduleBox) reports(status int, arguments ...string) (i installation) {
	b.t.Helper()
	r := b.runs(status, append(arguments, "--json")...)
	if r.stderr != "" {
		b.t.Errorf("%v: stderr %q", arguments, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &i); err != nil {
		b.t.Fatalf("%v: %q", err, r.stdout)
	}
	return i
}

func (b *moduleBox) hasProblem(i installation, id, target string, words ...string) {
	b.t.Helper()
	for _, p := range i.Problems {
		if p.ID == id && p.Target == target {
			contains(b.t, id, p.Message+" "+p.Recommendation, words...)
			return
		}
	}
	b.t.Errorf("no %s about %s, but %+v", id, target, i.Problems)
}

const byteOrderMark = "\xef\xbb\xbf"

func TestInstallAndUninstall(t *testing.T) {
	t.Parallel()
	function := "function Connect-NinjaOne { 'ü' }"
	for name, test := range map[string]struct {
		text, ending string
		mode         fs.FileMode
	}{
		"CRLF":                 {read(t, "NinjaOne/NinjaOne.psm1"), "\r\n", 0o644},
		"CRLF, unfinished":     {byteOrderMark + "#\r\n" + function, "", 0o640},
		"LF":                   {byteOrderMark + function + "\n\n", "\n", 0o600},
		"LF, unfinished":       {"#\n" + function, "", 0o664},
		"one unfinished line":  {byteOrderMark + function, "", 0o644},
		"read-only, no ending": {function, "", 0o444},
		"no UTF-8":             {"# \xfc\n" + function + "\n", "\n", 0o400},
	} {
		t.Run(name, func(t *testing.T) {
			b := newModuleBox(t)
			folder := b.module("2.8.0")
			write(t, script(folder), test.text)
			if err := os.Chmod(script(folder), test.mode); err != nil {
				t.Fatal(err)
			}
			before := content(t, folder)

			r := b.runs(0, "install", "--dry-run")
			contains(t, "install --dry-run", r.stdout, folder, "would be installed")
			equal(t, "after --dry-run", content(t, folder), before)
			r = b.runs(0, "install")
			contains(t, "install", r.stdout, folder+": ninjaone-auth dev installed", "Import-Module NinjaOne -Force")
			got, _ := os.Stat(script(folder))
			added, kept := strings.CutPrefix(read(t, script(folder)), test.text)
			if !kept || strings.Count(added, "# ninjaone-auth dev,") != 1 || strings.HasSuffix(added, "\n") == (test.ending == "") || got.Mode() != test.mode {
				t.Errorf("mode %v, added %q", got.Mode(), added)
			}
			if strings.Contains(added, "\r") != strings.Contains(test.text, "\r") {
				t.Errorf("another line ending: %q", added)
			}
			equal(t, "the wrapper", read(t, filepath.Join(folder, "Connect-NinjaOne.ps1")), read(t, "../powershell/Connect-NinjaOne.ps1"))
			equal(t, "the program", read(t, filepath.Join(folder, "ninjaone-auth")), read(t, binary))

			installed := content(t, folder)
			if i := b.reports(0, "install"); i.Modules[0].Changed || i.Modules[0].Before != "dev" {
				t.Errorf("installed again: %+v", i)
			}
			r = b.runs(0, "uninstall", "--dry-run")
			contains(t, "uninstall --dry-run", r.stdout, folder, "dev would be removed")
			equal(t, "after a second install and a dry run", content(t, folder), installed)

			contains(t, "uninstall", b.runs(0, "uninstall").stdout, "dev removed")
			equal(t, "after uninstall", content(t, folder), before)
			contains(t, "uninstall again", b.runs(0, "uninstall").stdout, "was not installed")
		})
	}
}

// What others have written after the line stays.
func TestUninstallLeavesWhatCameAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"function Connect-NinjaOne {}":     "function Connect-NinjaOne {}\n# mine\r\n",
		"function Connect-NinjaOne {}\r\n": "function Connect-NinjaOne {}\r\n# mine\r\n",
	} {
		b := newModuleBox(t)
		folder := b.module("2.8.0")
		write(t, script(folder), text)
		b.runs(0, "install")
		write(t, script(folder), strings.TrimRight(read(t, script(folder)), "\r\n")+"\r\n# mine\r\n")
		if i := b.reports(0, "install"); i.Modules[0].Changed {
			t.Error("moved the line")
		}
		b.runs(0, "uninstall")
		equal(t, "the file", read(t, script(folder)), want)
	}
}

func TestInstallReplacesAnotherRelease(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	b.runs(0, "install")
	installed := content(t, folder)
	write(t, script(folder), strings.Replace(read(t, script(folder)), "ninjaone-auth dev,", "ninjaone-auth v99.0.1,", 1))
	write(t, filepath.Join(folder, "Connect-NinjaOne.ps1"), "# another release of ninjaone-auth\n")
	file, err := os.OpenFile(filepath.Join(folder, "ninjaone-auth"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, "another")
	file.Close()
	if m := b.reports(0, "status").Modules[0]; !m.Installed || m.Release != "v99.0.1" {
		t.Errorf("status: %+v", m)
	}
	contains(t, "status", b.runs(0, "status").stdout, "v99.0.1; 'ninjaone-auth install' brings dev")
	contains(t, "install", b.runs(0, "install").stdout, "dev in place of v99.0.1 installed")
	equal(t, "after install", content(t, folder), installed)
	b.runs(0, "uninstall")
	equal(t, "after uninstall", content(t, folder), before)
}

// The program beside the module, which a user may find first, can be told to install and to take itself out.
func TestInstalledProgramUninstallsItself(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	b.runs(0, "install")
	for _, command := range []string{"install", "uninstall"} {
		own := exec.Command(filepath.Join(folder, "ninjaone-auth"), command)
		own.Env = b.environment()
		if output, err := own.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", command, err, output)
		}
	}
	equal(t, "after uninstall", content(t, folder), before)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	if i := b.reports(0, "status"); i.Modules == nil || i.Sessions == nil || i.Problems == nil || len(i.Modules)+len(i.Sessions)+len(i.Problems) > 0 {
		t.Errorf("without a module: %+v", i)
	}
	contains(t, "status without a module", b.runs(0, "status").stdout, b.modules, "--module")

	old := b.module("2.9.0")
	b.runs(0, "install")
	updated := b.module("2.10.0")
	i := b.reports(0, "status")
	if len(i.Modules) != 2 || len(i.Problems) > 0 {
		t.Fatalf("two versions: %+v", i)
	}
	equal(t, "2.9.0", i.Modules[0].Module, install.Module{Path: old, Version: "2.9.0", Installed: true, Release: "dev"})
	equal(t, "2.10.0", i.Modules[1].Module, install.Module{Path: updated, Version: "2.10.0", Updated: true})
	contains(t, "status", b.runs(0, "status").stdout, old, "dev", updated, "has been updated", "ninjaone-auth install")

	b.runs(0, "install")
	write(t, script(old), read(t, "NinjaOne/NinjaOne.psm1")) // as an update of the same version leaves it
	if err := os.Remove(filepath.Join(updated, "Connect-NinjaOne.ps1")); err != nil {
		t.Fatal(err)
	}
	i = b.reports(0, "status")
	equal(t, "2.9.0", i.Modules[0].Module, install.Module{Path: old, Version: "2.9.0", Updated: true})
	equal(t, "2.10.0", i.Modules[1].Module, install.Module{Path: updated, Version: "2.10.0", Release: "dev"})
	b.hasProblem(i, "ModuleIncomplete", updated, "Connect-NinjaOne.ps1", "ninjaone-auth install")
	contains(t, "status", b.runs(0, "status").stdout, "dev, incomplete", "is gone")

	b.runs(0, "install")
	if i = b.reports(0, "status"); len(i.Problems) > 0 || !i.Modules[0].Installed || !i.Modules[1].Installed {
		t.Errorf("mended: %+v", i)
	}
	if err := os.Remove(script(old)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(script(old), 0o700); err != nil {
		t.Fatal(err)
	}
	b.hasProblem(b.reports(0, "status"), "ModuleFailed", old, "is a directory")
	b.hasProblem(b.reports(1, "install"), "ModuleFailed", old, "is a directory")
}

// A module that is refused stays as it is, and keeps no other from being changed.
func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	signed := "function Connect-NinjaOne {}\r\n\r\n# SIG # Begin signature block\r\n# MIIF\r\n# SIG # End signature block\r\n"
	for name, test := range map[string]struct {
		file, text string
		id         string
		words      []string
	}{
		"signed":        {"NinjaOne.psm1", signed, "ModuleSigned", []string{"signed", "uninstall", "docs/install.md"}},
		"UTF-16":        {"NinjaOne.psm1", "\xff\xfef\x00u\x00", "ModuleNotSupported", []string{"UTF-16", "UTF-8"}},
		"not exported":  {"NinjaOne.psd1", "@{ ModuleVersion = '2.8.0'; RootModule = 'NinjaOne.psm1'\nFunctionsToExport = 'Get-NinjaOneDevices'\n}", "ModuleNotSupported", []string{"exports no Connect-NinjaOne"}},
		"its wrapper":   {"Connect-NinjaOne.ps1", "function Connect-NinjaOne {}", "ModuleNotSupported", []string{"Connect-NinjaOne.ps1 of its own"}},
		"its program":   {"ninjaone-auth", "#!/bin/sh\n", "ModuleNotSupported", []string{"ninjaone-auth of its own"}},
		"not a program": {"ninjaone-auth/file", "", "ModuleNotSupported", []string{"ninjaone-auth of its own"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newModuleBox(t)
			refused, other := b.module("2.8.0"), b.module("2.8.1")
			path := filepath.Join(refused, test.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, path, test.text)
			before := content(t, refused)
			b.hasProblem(b.reports(1, "install", "--dry-run"), test.id, refused, test.words...)
			i := b.reports(1, "install")
			b.hasProblem(i, test.id, refused, test.words...)
			equal(t, "the module", content(t, refused), before)
			if len(i.Modules) != 1 || i.Modules[0].Path != other || !i.Modules[0].Changed {
				t.Errorf("installed: %+v", i.Modules)
			}
			r := b.runs(1, "install")
			contains(t, "stderr", r.stderr, refused, "("+test.id+")")
			contains(t, "stdout", r.stdout, other)
			b.runs(0, "uninstall")
			equal(t, "the module", content(t, refused), before)
		})
	}
}

// Which modules export the function is for PowerShell's own rules to say.
func TestInstallByExports(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files     map[string]string
		supported bool
	}{
		"all, defined":        {map[string]string{"NinjaOne.psd1": "@{\nFunctionsToExport = '*'\n}", "NinjaOne.psm1": "  function connect-ninjaone {}"}, true},
		"all, in a file":      {map[string]string{"NinjaOne.psd1": "@{\nFunctionsToExport = '*'\n}", "NinjaOne.psm1": "#", "Public/Connect/Connect-NinjaOne.ps1": "#"}, true},
		"all, not defined":    {map[string]string{"NinjaOne.psd1": "@{\nFunctionsToExport = '*'\n}", "NinjaOne.psm1": "# Connect-NinjaOne"}, false},
		"no manifest":         {map[string]string{"NinjaOne.psm1": "function Connect-NinjaOne {}"}, true},
		"UTF-16":              {map[string]string{"NinjaOne.psd1": "\xff\xfe'\x00C\x00o\x00n\x00n\x00e\x00c\x00t\x00-\x00N\x00i\x00n\x00j\x00a\x00O\x00n\x00e\x00'\x00", "NinjaOne.psm1": "#"}, true},
		"none of many":        {map[string]string{"NinjaOne.psd1": "@{\n  FunctionsToExport = @(\n'Get-NinjaOneDevices'\n)\n}", "NinjaOne.psm1": "function Connect-NinjaOne {}"}, false},
		"Connect-NinjaOneFoo": {map[string]string{"NinjaOne.psm1": "function Connect-NinjaOneFoo {}"}, false},
	} {
		b := newModuleBox(t)
		folder := filepath.Join(b.modules, "NinjaOne")
		for name, text := range test.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, name), text)
		}
		status := map[bool]int{true: 0, false: 1}[test.supported]
		if i := b.reports(status, "install"); len(i.Modules) != 1-status {
			t.Errorf("%s: %+v", name, i)
		}
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
	contains(t, "the file", read(t, script(elsewhere)), "# ninjaone-auth dev,")
	if link, err := os.Readlink(script(folder)); err != nil || !exists(filepath.Join(folder, "ninjaone-auth")) || len(content(t, elsewhere)) != 1 {
		t.Errorf("link %q, %v", link, err)
	}
	b.runs(0, "uninstall")
	equal(t, "the folder", content(t, folder), before)
	equal(t, "the file behind", content(t, elsewhere), linked)
}

// Who signs the changed file with a certificate of their own gets back the unsigned one.
func TestUninstallOfASignedInstallation(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"function Connect-NinjaOne {}\r\n", "function Connect-NinjaOne {}"} {
		b := newModuleBox(t)
		folder := b.module("2.8.0")
		write(t, script(folder), text)
		before := content(t, folder)
		b.runs(0, "install")
		write(t, script(folder), read(t, script(folder))+"\r\n# SIG # Begin signature block\r\n# MIIF\r\n# SIG # End signature block\r\n")
		b.hasProblem(b.reports(1, "install"), "ModuleSigned", folder)
		b.runs(0, "uninstall")
		equal(t, "after uninstall", content(t, folder), before)
	}
}

func TestInstallOnAFullDisk(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	b.through = fullDisk
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

// Whoever comes later waits, so that what is left is the work of one.
func TestInstallsAtOnce(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	b.runs(0, "install")
	installed := content(t, folder)
	var all sync.WaitGroup
	for n := range 12 {
		all.Go(func() {
			command := b.command([]string{"install", "uninstall"}[n%2])
			if output, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	all.Wait()
	if now := content(t, folder); fmt.Sprint(now) != fmt.Sprint(before) && fmt.Sprint(now) != fmt.Sprint(installed) {
		t.Errorf("left %v", now)
	}
}
