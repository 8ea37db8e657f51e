package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// shellFacts are what a PowerShell says of itself.
type shellFacts struct {
	Version, Policy, Mode, Store string
	Modules, Vaults              []string
}

// script runs in PowerShell 5.1 and newer and in every language mode, and holds no double quotes, which command lines of Windows
// would spoil. Get-SecretStoreConfiguration makes a store where there is none, so it is asked only about one that is there;
// where it needs a password it fails at once, as -NonInteractive forbids to ask for it.
const script = `$ErrorActionPreference = 'SilentlyContinue'; $ProgressPreference = 'SilentlyContinue'
$names = 'NinjaOne', 'NinjaOneAuth', 'Microsoft.PowerShell.SecretManagement', 'Microsoft.PowerShell.SecretStore'
$modules = @(Get-Module -ListAvailable -Name $names | ForEach-Object { '{0} {1}' -f $_.Name, $_.Version })
$vaults = @(); $store = ''
if ($modules -like '*.SecretManagement *') {
	$vaults = @(Get-SecretVault | ForEach-Object { '{0} ({1})' -f $_.Name, $_.ModuleName })
}
$folder = if ($env:OS -eq 'Windows_NT') { $env:LOCALAPPDATA + '\Microsoft\PowerShell\secretmanagement' } else { $HOME + '/.secretmanagement' }
if ($modules -like '*.SecretStore *' -and (Test-Path ($folder + '/localstore/storefile')) -and (Get-Command Get-SecretStoreConfiguration)) {
	$configuration = Get-SecretStoreConfiguration
	$store = if (-not $configuration) { 'Password' } else { [string] $configuration.Authentication }
}
@{ version = [string] $PSVersionTable.PSVersion; policy = [string] (Get-ExecutionPolicy); store = $store
	mode = [string] $ExecutionContext.SessionState.LanguageMode; modules = $modules; vaults = $vaults } | ConvertTo-Json -Compress`

// shells asks every PowerShell on PATH.
func (m Machine) shells(ctx context.Context) []Finding {
	paths := shellPaths()
	if len(paths) == 0 {
		return []Finding{ok("there is none on PATH, which matters to Connect-NinjaOne only")}
	}
	found := make([][]Finding, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		all.Go(func() { found[i] = examineShell(ctx, path) })
	}
	all.Wait()
	var findings []Finding
	for _, one := range found {
		findings = append(findings, one...)
	}
	return findings
}

// shellPaths are all pwsh and powershell in the folders of PATH, each once.
func shellPaths() (paths []string) {
	names, seen := []string{"pwsh"}, map[string]bool{}
	if runtime.GOOS == "windows" {
		names = []string{"pwsh.exe", "powershell.exe"}
	}
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		for _, name := range names {
			path, err := exec.LookPath(filepath.Join(folder, name))
			if err != nil {
				continue
			}
			real, err := filepath.EvalSymlinks(path)
			if err != nil { // an app execution alias of Windows
				real = path
			}
			if !seen[real] {
				seen[real] = true
				paths = append(paths, path)
			}
		}
	}
	return paths
}

func examineShell(ctx context.Context, path string) []Finding {
	command := exec.CommandContext(ctx, path, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", script)
	command.WaitDelay = 500 * time.Millisecond
	output, err := command.Output()
	var facts shellFacts
	if begin := bytes.IndexByte(output, '{'); begin >= 0 {
		err = json.Unmarshal(output[begin:], &facts)
	}
	switch {
	case ctx.Err() != nil:
		return []Finding{warning("Run it again when the machine is less busy.", "%s did not say in time what it is", path)}
	case err != nil || facts.Version == "":
		return []Finding{warning("Start it by hand to see what is wrong with it.", "%s did not say what it is", path)}
	}
	text := fmt.Sprintf("PowerShell %s at %s, execution policy %s, %s", facts.Version, path, facts.Policy, listed("module", facts.Modules))
	if len(facts.Vaults) > 0 {
		text += ", " + listed("vault", facts.Vaults)
	}
	return append([]Finding{ok("%s", text)}, facts.problems(path)...)
}

// listed is a list with its noun.
func listed(noun string, names []string) string {
	switch len(names) {
	case 0:
		return "no " + noun + " that matters here"
	case 1:
		return noun + " " + names[0]
	}
	return noun + "s " + strings.Join(names, ", ")
}

// problems are what keeps Connect-NinjaOne, or a job, from working in a PowerShell.
func (f shellFacts) problems(path string) (found []Finding) {
	var major, minor int
	_, _ = fmt.Sscanf(f.Version, "%d.%d", &major, &minor)
	if major == 6 || major == 7 && minor < 4 {
		found = append(found, warning("Update it to 7.4 or newer.", "%s is older than what Connect-NinjaOne is tested with", path))
	}
	if f.Mode != "FullLanguage" {
		found = append(found, Finding{Status: Failure, Found: fmt.Sprintf("%s is in %s mode, in which Connect-NinjaOne does not run", path, f.Mode),
			Advice: "Have the script allowed by the policy that sets the mode, such as App Control."})
	}
	switch f.Policy {
	case "Restricted":
		found = append(found, warning("Set-ExecutionPolicy -Scope CurrentUser RemoteSigned", "%s runs no scripts (execution policy Restricted)", path))
	case "AllSigned":
		found = append(found, warning("Sign Connect-NinjaOne.ps1 too.", "%s runs signed scripts only (execution policy AllSigned)", path))
	}
	if f.Store == "Password" {
		found = append(found, warning("A job has to unlock it first (Unlock-SecretStore), or uses another vault.", "SecretStore asks for a password in %s", path))
	}
	return found
}
