// Package install puts ninjaone-auth into the PowerShell modules NinjaOne of this machine, and takes it out again.
//
// A module that has it holds the program and Connect-NinjaOne.ps1 beside its NinjaOne.psm1, and one line in that file.
package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ninjaone-auth/pkg/failure"
)

const (
	moduleName   = "NinjaOne"
	scriptName   = moduleName + ".psm1"
	manifestName = moduleName + ".psd1"
	wrapperName  = "Connect-NinjaOne.ps1"
)

// Module is a NinjaOne module on this machine.
type Module struct {
	// Path is its folder.
	Path string `json:"path"`
	// Version is the one in its manifest, empty if it has none.
	Version string `json:"version"`
	// Installed tells whether the module uses ninjaone-auth, and all that this takes is there.
	Installed bool `json:"installed"`
	// Release is the release of ninjaone-auth that was installed last, empty if the module does not use it.
	Release string `json:"release"`
	// Updated tells whether an update of the module has taken ninjaone-auth out, or has come without it in a new folder.
	Updated bool `json:"updated"`
}

// Find finds the modules: the one that path names, by its folder or a file in it, or the folder of all its versions; if path
// is empty, all that PowerShell finds. What can't be read is a problem.
func Find(path string) (modules []Module, problems []*failure.Error) {
	seen := map[string]bool{}
	for _, folder := range folders(path) {
		versions, err := versionsIn(folder)
		if err != nil {
			problems = append(problems, failed(folder, "can't be read", err))
		}
		for _, version := range versions {
			real, err := filepath.EvalSymlinks(version)
			if err == nil && seen[real] {
				continue
			}
			seen[real] = true
			if module, problem := look(version); problem != nil {
				problems = append(problems, problem)
			} else {
				modules = append(modules, module)
			}
		}
	}
	for i := range modules {
		modules[i].Updated = modules[i].Updated || slices.ContainsFunc(modules, modules[i].isUpdateOf)
	}
	return modules, problems
}

// NotFound is the failure of whoever needs a module and has none.
func NotFound(path string) *failure.Error {
	if path != "" {
		return &failure.Error{
			ID: failure.ModuleNotFound, Target: path,
			Message:        fmt.Sprintf("%s is not the folder of a NinjaOne module: there is no %s in it.", path, scriptName),
			Recommendation: "In PowerShell, '(Get-Module -ListAvailable NinjaOne).ModuleBase' shows the folders.",
		}
	}
	return &failure.Error{
		ID: failure.ModuleNotFound, Target: moduleName,
		Message: "There is no NinjaOne module in " + strings.Join(folders(""), ", ") + ".",
		Recommendation: "Name the module's folder with --module; in PowerShell, '(Get-Module -ListAvailable NinjaOne).ModuleBase' " +
			"shows it. If there is none: Install-Module NinjaOne",
	}
}

// folders are those in which the versions of the module lie.
func folders(path string) (all []string) {
	if path != "" {
		if extension := filepath.Ext(path); strings.EqualFold(extension, ".psm1") || strings.EqualFold(extension, ".psd1") {
			path = filepath.Dir(path)
		}
		return []string{absolute(path)}
	}
	for _, place := range places() {
		folder := absolute(filepath.Join(place, moduleName))
		if place != "" && !slices.Contains(all, folder) {
			all = append(all, folder)
		}
	}
	return all
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

var versionFolder = regexp.MustCompile(`^\d+(\.\d+){1,3}$`)

// versionsIn are the folders with a module: this one, and those in it whose names are versions.
func versionsIn(folder string) (all []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range entries {
		switch {
		case entry.Name() == scriptName:
			all = append(all, folder)
		case versionFolder.MatchString(entry.Name()) && exists(filepath.Join(folder, entry.Name(), scriptName)):
			all = append(all, filepath.Join(folder, entry.Name()))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return compareVersions(filepath.Base(a), filepath.Base(b)) })
	return all, nil
}

// look reads a module's state.
func look(folder string) (Module, *failure.Error) {
	text, err := os.ReadFile(filepath.Join(folder, scriptName))
	if err != nil {
		return Module{}, failed(folder, "can't be read", err)
	}
	m := Module{Path: folder, Version: versionOf(folder), Release: releaseIn(text)}
	program, wrapper := isOurs(m.program()), isOurs(m.wrapper())
	m.Installed = m.Release != "" && program && wrapper
	m.Updated = m.Release == "" && (program || wrapper)
	return m, nil
}

// Check tells what a module lacks that is to use ninjaone-auth.
func (m Module) Check() *failure.Error {
	if m.Release == "" || m.Installed {
		return nil
	}
	missing := wrapperName
	if isOurs(m.wrapper()) {
		missing = programName
	}
	return &failure.Error{
		ID: failure.ModuleIncomplete, Target: m.Path,
		Message:        fmt.Sprintf("The module in %s uses ninjaone-auth %s, but the file %s of it is gone.", m.Path, m.Release, missing),
		Recommendation: "Run: ninjaone-auth install --module " + quoted(m.Path),
	}
}

func (m Module) script() string  { return filepath.Join(m.Path, scriptName) }
func (m Module) wrapper() string { return filepath.Join(m.Path, wrapperName) }
func (m Module) program() string { return filepath.Join(m.Path, programName) }

// isUpdateOf tells whether the module came in a folder beside an older version with ninjaone-auth.
func (m Module) isUpdateOf(older Module) bool {
	return m.Release == "" && older.Release != "" && filepath.Dir(m.Path) == filepath.Dir(older.Path) &&
		compareVersions(older.Version, m.Version) < 0
}

func compareVersions(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

func numbers(version string) (all []int) {
	for part := range strings.SplitSeq(version, ".") {
		number, _ := strconv.Atoi(part)
		all = append(all, number)
	}
	return all
}

var moduleVersion = regexp.MustCompile(`(?im)^\s*ModuleVersion\s*=\s*['"]([^'"]*)`)

func versionOf(folder string) string {
	if found := moduleVersion.FindSubmatch(manifest(folder)); found != nil {
		return string(found[1])
	}
	return ""
}

// manifest is the text of a module's manifest, which Windows PowerShell writes in UTF-16: what counts in it is ASCII.
func manifest(folder string) []byte {
	text, _ := os.ReadFile(filepath.Join(folder, manifestName))
	return bytes.ReplaceAll(text, []byte{0}, nil)
}

var (
	namedExport    = regexp.MustCompile(`(?i)['"]Connect-NinjaOne['"]`)
	limitedExports = regexp.MustCompile(`(?im)^\s*FunctionsToExport\s*=\s*[^*\r\n]*\r?$`)
	definition     = regexp.MustCompile(`(?im)^\s*function\s+Connect-NinjaOne\b`)
)

// hasConnect tells whether a module exports a Connect-NinjaOne.
func hasConnect(folder string, script []byte) bool {
	manifest := manifest(folder)
	if namedExport.Match(manifest) || limitedExports.Match(manifest) {
		return namedExport.Match(manifest)
	}
	for _, pattern := range []string{"Public/" + wrapperName, "Public/*/" + wrapperName} {
		if found, _ := fs.Glob(os.DirFS(folder), pattern); found != nil {
			return true
		}
	}
	return definition.Match(script)
}
