package tests

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"ninjaone-auth/pkg/install"
)

// moduleBox is a machine with a folder of PowerShell modules.
type moduleBox struct {
	*machine
	modules string
	// release is that of the program under test.
	release string
}

// programName is what the program is called beside the module.
var programName = map[bool]string{true: "ninjaone-auth.exe", false: "ninjaone-auth"}[runtime.GOOS == "windows"]

func newModuleBox(t testing.TB) *moduleBox {
	t.Helper()
	b := &moduleBox{machine: newMachine(t), modules: filepath.Join(t.TempDir(), "Modules ü ' x")}
	b.env = []string{"PSModulePath=" + b.modules + string(filepath.ListSeparator) + filepath.Join(b.home, "nothing")}
	b.release = strings.Fields(b.runs(0, "version").stdout)[1]
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

func modeOf(t testing.TB, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
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
			mode := modeOf(t, script(folder))

			r := b.runs(0, "install", "--dry-run")
			contains(t, "install --dry-run", r.stdout, folder, "would be installed")
			equal(t, "after --dry-run", content(t, folder), before)
			r = b.runs(0, "install")
			contains(t, "install", r.stdout, folder+": ninjaone-auth "+b.release+" installed", "Import-Module NinjaOne -Force")
			added, kept := strings.CutPrefix(read(t, script(folder)), test.text)
			if !kept || strings.Count(added, "# ninjaone-auth "+b.release+",") != 1 || strings.HasSuffix(added, "\n") == (test.ending == "") || modeOf(t, script(folder)) != mode {
				t.Errorf("mode %v, added %q", modeOf(t, script(folder)), added)
			}
			if strings.Contains(added, "\r") != strings.Contains(test.text, "\r") {
				t.Errorf("another line ending: %q", added)
			}
			equal(t, "the wrapper", read(t, filepath.Join(folder, "Connect-NinjaOne.ps1")), read(t, "../powershell/Connect-NinjaOne.ps1"))
			equal(t, "the program", read(t, filepath.Join(folder, programName)), read(t, binary))

			installed := content(t, folder)
			if i := b.reports(0, "install"); i.Modules[0].Changed || i.Modules[0].Before != b.release {
				t.Errorf("installed again: %+v", i)
			}
			r = b.runs(0, "uninstall", "--dry-run")
			contains(t, "uninstall --dry-run", r.stdout, folder, b.release+" would be removed")
			equal(t, "after a second install and a dry run", content(t, folder), installed)

			contains(t, "uninstall", b.runs(0, "uninstall").stdout, b.release+" removed")
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
	write(t, script(folder), strings.Replace(read(t, script(folder)), "ninjaone-auth "+b.release+",", "ninjaone-auth v99.0.1,", 1))
	write(t, filepath.Join(folder, "Connect-NinjaOne.ps1"), "# another release of ninjaone-auth\n")
	if m := b.reports(0, "status").Modules[0]; !m.Installed || m.Release != "v99.0.1" {
		t.Errorf("status: %+v", m)
	}
	contains(t, "status", b.runs(0, "status").stdout, "v99.0.1; 'ninjaone-auth install' brings "+b.release)
	contains(t, "install", b.runs(0, "install").stdout, b.release+" in place of v99.0.1 installed")
	equal(t, "after install", content(t, folder), installed)
	b.runs(0, "uninstall")
	equal(t, "after uninstall", content(t, folder), before)
}

// The program beside the module, which a user may find first, can be told to install and to take itself out. So can another
// release while this one is running.
func TestInstallOfARunningProgram(t *testing.T) {
	t.Parallel()
	b := newModuleBox(t)
	folder := b.module("2.8.0")
	before := content(t, folder)
	run := func(program, command string) {
		t.Helper()
		c := exec.Command(program, command, "--module", folder)
		c.Env = b.environment()
		if output, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", command, err, output)
		}
	}
	installed := filepath.Join(folder, programName)
	b.runs(0, "install")
	run(installed, "install")
	run(installed, "uninstall")
	equal(t, "after it has taken itself out", content(t, folder), before)

	b.runs(0, "install")
	running := exec.Command(installed, "connect")
	running.Env = b.environment()
	stdin, err := running.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(b.home, programName)
	if err := os.WriteFile(other, []byte(read(t, binary)+"another"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(other, "install")
	equal(t, "the program", read(t, installed), read(t, other))
	run(other, "uninstall")
	stdin.Close()
	_ = running.Wait()
	b.runs(0, "uninstall") // on Windows, this one could not be removed before
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
	equal(t, "2.9.0", i.Modules[0].Module, install.Module{Path: old, Version: "2.9.0", Installed: true, Release: b.release})
	equal(t, "2.10.0", i.Modules[1].Module, install.Module{Path: updated, Version: "2.10.0", Updated: true})
	contains(t, "status", b.runs(0, "status").stdout, old, b.release, updated, "has been updated", "ninjaone-auth install")

	b.runs(0, "install")
	write(t, script(old), read(t, "NinjaOne/NinjaOne.psm1")) // as an update of the same version leaves it
	if err := os.Remove(filepath.Join(updated, "Connect-NinjaOne.ps1")); err != nil {
		t.Fatal(err)
	}
	i = b.reports(0, "status")
	equal(t, "2.9.0", i.Modules[0].Module, install.Module{Path: old, Version: "2.9.0", Updated: true})
	equal(t, "2.10.0", i.Modules[1].Module, install.Module{Path: updated, Version: "2.10.0", Release: b.release})
	b.hasProblem(i, "ModuleIncomplete", updated, "Connect-NinjaOne.ps1", "ninjaone-auth install")
	contains(t, "status", b.runs(0, "status").stdout, b.release+", incomplete", "is gone")

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
	b.hasProblem(b.reports(0, "status"), "ModuleFailed", old)
	b.hasProblem(b.reports(1, "install"), "ModuleFailed", old)
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
		"its program":   {programName, "#!/bin/sh\n", "ModuleNotSupported", []string{programName + " of its own"}},
		"not a program": {programName + "/file", "", "ModuleNotSupported", []string{programName + " of its own"}},
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
		wrapper := filepath.Join(folder, "Connect-NinjaOne.ps1")
		write(t, wrapper, read(t, wrapper)+"# SIG # Begin signature block\r\n# MIIF\r\n# SIG # End signature block\r\n")
		signed := content(t, folder)
		if i := b.reports(0, "install"); i.Modules[0].Changed {
			t.Errorf("installed again: %+v", i)
		}
		write(t, script(folder), strings.Replace(read(t, script(folder)), b.release+",", "v99.0.1,", 1))
		b.hasProblem(b.reports(1, "install"), "ModuleSigned", folder)
		write(t, script(folder), strings.Replace(read(t, script(folder)), "v99.0.1,", b.release+",", 1))
		equal(t, "the module", content(t, folder), signed)
		b.runs(0, "uninstall")
		equal(t, "after uninstall", content(t, folder), before)
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
