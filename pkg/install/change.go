package install

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/powershell"
)

// Request is what Install and Uninstall are asked for.
type Request struct {
	// Release and Program are what to install: a release's name, and the file that holds its program.
	Release, Program string
	// DryRun leaves everything as it is.
	DryRun bool
}

// Install makes a module use ninjaone-auth, and tells whether there was anything to do. What is replaced may be of any
// release.
func (m Module) Install(r Request) (changed bool, problem *failure.Error) {
	program, err := os.ReadFile(r.Program)
	if err != nil {
		return false, failed(r.Program, "can't be read", err)
	}
	return m.change("install", r, func(script []byte) ([]file, *failure.Error) {
		if m.Installed && m.Release == r.Release && signature.Match(script) { // signed since
			return nil, nil
		}
		if reason := unsupported(m.Path, script); reason != nil {
			return nil, reason
		}
		for _, path := range []string{m.program(), m.wrapper()} {
			if exists(path) && !isOurs(path) {
				return nil, notSupported(m.Path, fmt.Sprintf("has a file %s of its own", filepath.Base(path)), "Move the file away, if nothing needs it.")
			}
		}
		return []file{
			{m.program(), program},
			{m.wrapper(), powershell.ConnectNinjaOne},
			{m.script(), withLine(script, r.Release)},
		}, nil
	})
}

// Uninstall gives a module back the files that it had, and tells whether there was anything to do.
func (m Module) Uninstall(r Request) (changed bool, problem *failure.Error) {
	return m.change("uninstall", r, func(script []byte) ([]file, *failure.Error) {
		files := []file{{m.script(), withoutLine(script)}}
		for _, path := range []string{m.wrapper(), m.program()} {
			if isOurs(path) {
				files = append(files, file{path, nil})
			}
		}
		return files, nil
	})
}

// unsupported refuses a module that can't use ninjaone-auth.
func unsupported(folder string, script []byte) *failure.Error {
	switch {
	case signature.Match(script):
		return &failure.Error{
			ID: failure.ModuleSigned, Target: folder,
			Message: fmt.Sprintf("%s in %s is signed: a line more would make the signature invalid.", scriptName, folder),
			Recommendation: "If you signed it after an installation, run 'ninjaone-auth uninstall', install again, and sign it again. " +
				"Otherwise use ninjaone-auth without changing the module (docs/install.md).",
		}
	case bytes.IndexByte(script, 0) >= 0:
		return notSupported(folder, "has a "+scriptName+" in UTF-16", "Save it in UTF-8 with a byte-order mark.")
	case !hasConnect(folder, script):
		return notSupported(folder, "exports no Connect-NinjaOne", "Install the module NinjaOne from the PowerShell Gallery.")
	}
	return nil
}

func notSupported(folder, what, recommendation string) *failure.Error {
	return &failure.Error{
		ID: failure.ModuleNotSupported, Target: folder,
		Message: fmt.Sprintf("The module in %s %s.", folder, what), Recommendation: recommendation,
	}
}

// file is a file as it shall be; without text it shall not be.
type file struct {
	path string
	text []byte
}

func (f file) isSo() bool {
	text, err := os.ReadFile(f.path)
	if f.text == nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return err == nil && bytes.Equal(text, f.text)
}

// change makes the files be as wanted, in their order, while no other ninjaone-auth changes the module. So the module can be
// loaded at any moment: what its line needs is there before the line and goes after it.
func (m Module) change(command string, r Request, wanted func(script []byte) ([]file, *failure.Error)) (changed bool, problem *failure.Error) {
	unlock := func() {}
	if !r.DryRun {
		var err error
		if unlock, err = lock(m.Path); err != nil {
			return false, m.notChanged(command, err)
		}
	}
	defer unlock()
	script, err := os.ReadFile(m.script())
	if err != nil {
		return false, failed(m.Path, "can't be read", err)
	}
	files, problem := wanted(script)
	if problem != nil {
		return false, problem
	}
	if !r.DryRun {
		sweep(m.script())
	}
	var todo []file
	for _, f := range files {
		if !f.isSo() {
			todo = append(todo, f)
		}
	}
	if len(todo) == 0 {
		return false, nil
	}
	if err := tryToWrite(m.script()); err != nil {
		return false, m.notChanged(command, err)
	}
	if r.DryRun {
		return true, nil
	}
	var added []string
	for _, f := range todo {
		isNew := !exists(f.path)
		if err := f.make(m.script()); err != nil {
			for _, path := range added {
				_ = os.Remove(path)
			}
			return false, m.notChanged(command, err)
		}
		if isNew {
			added = append(added, f.path)
		}
	}
	return true, nil
}

// notChanged is the failure of a change that the system did not let happen.
func (m Module) notChanged(command string, err error) *failure.Error {
	if !errors.Is(err, fs.ErrPermission) {
		return failed(m.Path, "can't be changed", err)
	}
	program, _ := os.Executable()
	call := fmt.Sprintf("%s %s --module %s", quoted(program), command, quoted(m.Path))
	recommendation := "Run: sudo " + call
	if runtime.GOOS == "windows" {
		recommendation = "Run this in a PowerShell that was started as administrator: & " + call
	}
	return &failure.Error{
		ID: failure.ModuleNotWritable, Target: m.Path, Cause: err,
		Message:        fmt.Sprintf("You may not change the module in %s: %s.", m.Path, failure.Reason(err)),
		Recommendation: recommendation + "\nOr have a module of your own: Install-Module NinjaOne -Scope CurrentUser -Force",
	}
}

// quoted is a path as sh and PowerShell read it.
func quoted(path string) string {
	quote := `'\''`
	if runtime.GOOS == "windows" {
		quote = "''"
	}
	return "'" + strings.ReplaceAll(path, "'", quote) + "'"
}

func failed(path, what string, err error) *failure.Error {
	return &failure.Error{
		ID: failure.ModuleFailed, Target: path, Cause: err,
		Message:        fmt.Sprintf("%s %s: %s.", path, what, failure.Reason(err)),
		Recommendation: "Run the command again once that is no longer so.",
	}
}

// isOurs tells whether a file is the program or the wrapper of a release of ninjaone-auth.
func isOurs(path string) bool {
	if filepath.Base(path) == programName {
		info, err := buildinfo.ReadFile(path)
		return err == nil && strings.HasSuffix(info.Path, "/cmd/ninjaone-auth")
	}
	text, err := os.ReadFile(path)
	return err == nil && bytes.Contains(text, []byte("ninjaone-auth"))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
