//go:build dist

package tests

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// These tests look at what `make dist` has made, which runs them at its end.

const made = "../dist/release/ninjaone-auth_"

func distVersion(t *testing.T) string {
	t.Helper()
	var metadata struct{ Version string }
	if err := json.Unmarshal([]byte(read(t, "../dist/release/metadata.json")), &metadata); err != nil {
		t.Fatal(err)
	}
	return metadata.Version
}

// unpack writes an archive's files to a new folder, and returns that.
func unpack(t *testing.T, system, arch string) string {
	t.Helper()
	folder, path := t.TempDir(), made+distVersion(t)+"_"+system+"_"+arch
	add := func(name string, mode fs.FileMode, content io.Reader, err error) {
		t.Helper()
		var bytes []byte
		if err == nil {
			bytes, err = io.ReadAll(content)
		}
		target := filepath.Join(folder, filepath.FromSlash(name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(target), 0o700)
		}
		if err == nil {
			err = os.WriteFile(target, bytes, mode.Perm())
		}
		if err != nil {
			t.Fatal(path, err)
		}
	}
	if system == "windows" {
		archive, err := zip.OpenReader(path + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		for _, file := range archive.File {
			content, err := file.Open()
			add(file.Name, file.Mode(), content, err)
		}
		return folder
	}
	unzipped, err := gzip.NewReader(strings.NewReader(read(t, path+".tar.gz")))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return folder
		} else if err != nil {
			t.Fatal(err)
		}
		add(header.Name, header.FileInfo().Mode(), archive, nil)
	}
}

func TestDistArchives(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			folder := filepath.Join(unpack(t, system, arch), "NinjaOneAuth")
			program := "ninjaone-auth"
			if system == "windows" {
				program += ".exe"
			}
			for _, name := range []string{
				program, "NinjaOneAuth.psd1", "NinjaOneAuth.psm1", "Connect-NinjaOne.ps1", "ninjaone-auth.1.gz",
				"completions/ninjaone-auth.bash", "completions/ninjaone-auth.ps1", "CHANGELOG.md", "LICENSE",
				"THIRD-PARTY-LICENSES.txt", "docs/security.md",
			} {
				if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
					t.Errorf("%s %s: %s is missing or empty", system, arch, name)
				}
			}
			licences := read(t, filepath.Join(folder, "THIRD-PARTY-LICENSES.txt"))
			contains(t, "the licences", licences, "==> go/", "/keyring/", "/go-keychain/", "/wincred/", "/go-libsecret/")
			warns := strings.Contains(read(t, filepath.Join(folder, "README.md")), "no Keychain")
			if warns != (system == "darwin" && runtime.GOOS != "darwin") {
				t.Errorf("%s: the README speaks of a missing Keychain: %t", system, warns)
			}
		}
	}
}

// What was made for this machine: its program runs, and the module that comes with it gets a session.
func TestDistRuns(t *testing.T) {
	names := map[string]string{"windows": "win", "darwin": "osx", "amd64": "x64"}
	name := func(of string) string {
		if other := names[of]; other != "" {
			return other
		}
		return of
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for what, prepare := range map[string]func(*testing.T) (program, module string){
		"archive": func(t *testing.T) (string, string) {
			folder := filepath.Join(unpack(t, runtime.GOOS, runtime.GOARCH), "NinjaOneAuth")
			return filepath.Join(folder, "ninjaone-auth"+suffix), folder
		},
		"package of the PowerShell Gallery": func(t *testing.T) (string, string) {
			folder := filepath.Join(t.TempDir(), "NinjaOneAuth")
			if err := os.CopyFS(folder, os.DirFS("../dist/NinjaOneAuth")); err != nil {
				t.Fatal(err)
			}
			runtimeID := name(runtime.GOOS) + "-" + name(runtime.GOARCH)
			return filepath.Join(folder, "bin", runtimeID, "ninjaone-auth"+suffix), folder
		},
		"package of Debian": func(t *testing.T) (string, string) {
			dpkg := need.Command(t, "dpkg-deb", "a Debian or Ubuntu machine")
			root, version := t.TempDir(), strings.Replace(distVersion(t), "-", "~", 1)
			output, err := exec.Command(dpkg, "-x", made+version+"_"+runtime.GOARCH+".deb", root).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if exists(filepath.Join(root, "usr/local")) {
				t.Error("it writes to /usr/local")
			}
			return filepath.Join(root, "usr/bin/ninjaone-auth"), filepath.Join(root, "usr/share/powershell/Modules/NinjaOneAuth")
		},
	} {
		t.Run(what, func(t *testing.T) {
			program, module := prepare(t)
			output, err := exec.Command(program, "version").CombinedOutput()
			if err != nil || !bytes.Contains(output, []byte(distVersion(t))) {
				t.Fatalf("version: %v\n%s", err, output)
			}
			getsSession(t, program, module)
		})
	}
}

// getsSession signs in with a module, whose program is to be found in PATH if not in the module.
func getsSession(t *testing.T, program, module string) {
	pwsh := need.Command(t, "pwsh", "PowerShell 7")
	if runtime.GOOS != "linux" {
		need.Missing(t, "a system that trusts SSL_CERT_FILE", "Linux")
	}
	m := newMachine(t)
	app := m.app(standin.App{})
	command := exec.Command(pwsh, "-NoProfile", "-NonInteractive", "-Command", `
		$ErrorActionPreference = 'Stop'
		Import-Module $env:MODULE
		$version = (Test-ModuleManifest "$env:MODULE/NinjaOneAuth.psd1").Version
		Connect-NinjaOne -Instance $env:INSTANCE -ClientId $env:ID -ClientSecret $env:SECRET -UseClientAuth
		"$version " + (Get-NinjaOneToken -AsHeader).Authorization`)
	command.Env = append(m.environment(), "MODULE="+module, "INSTANCE="+app.Instance, "ID="+app.ClientID,
		"SECRET="+app.ClientSecret, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	output, err := command.CombinedOutput()
	number, _, _ := strings.Cut(distVersion(t), "-")
	var version, kind, token string
	if fmt.Sscan(string(output), &version, &kind, &token); err != nil || version != number || !m.service.IsValidAccess(token) {
		t.Errorf("%v\n%s", err, output)
	}
}
