//go:build unix

package tests

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

// startSystemLog is the machine's system log for the test's time; it returns what a PowerShell has written.
func startSystemLog(t *testing.T) func(pid int) string {
	t.Helper()
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		need.Missing(t, "a machine without a system log, and root", "run it in a container: "+err.Error())
	}
	t.Cleanup(func() { _ = os.Remove("/dev/log"); _ = log.Close() })
	var records []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		record := make([]byte, 1<<20)
		for {
			n, err := log.Read(record)
			if err != nil {
				return
			}
			records = append(records, string(record[:n]))
		}
	}()
	return func(pid int) string {
		_ = log.SetReadDeadline(time.Now().Add(time.Second))
		<-done
		own := fmt.Sprintf(" powershell[%d]: ", pid)
		return strings.Join(slices.DeleteFunc(records, func(r string) bool { return !strings.Contains(r, own) }), "\n")
	}
}

// Companies log what is bound to the parameters of every command (module logging, event 4103) and each script that looks
// suspicious (event 4104). What a vault's own commands are given is logged too, and is not asked for here.
func TestModuleLoggingSeesNoSecretButTheParametersOwn(t *testing.T) {
	pwsh := need.Command(t, "pwsh", "install PowerShell 7")
	m := newMachine(t)
	app := m.app(standin.App{Instance: "eu"})
	folder := t.TempDir()
	commands, err := filepath.Abs("../powershell")
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder+"/NinjaOne.psm1", ". '"+commands+"/Connect-NinjaOne.ps1'\nExport-ModuleMember Connect-NinjaOne\n")
	write(t, folder+"/config.json", `{"LogLevel":"verbose","LogKeywords":"*","LogChannels":"Operational,Analytic",
		"PowerShellPolicies":{"ModuleLogging":{"EnableModuleLogging":true,"ModuleNames":["NinjaOne","NinjaOneAuth","Microsoft.PowerShell.Utility","Microsoft.PowerShell.Management"]}}}`)
	write(t, folder+"/script.ps1", fmt.Sprintf(`$ErrorActionPreference = 'Stop'
		Import-Module %s/NinjaOne.psm1
		if (-not (Get-Module -ListAvailable Microsoft.PowerShell.SecretManagement)) { 'no SecretManagement'; exit }
		Register-SecretVault -Name Log -ModuleName Microsoft.PowerShell.SecretStore
		$vault = @{ UseSecretManagement = $true; VaultName = 'Log' }
		Connect-NinjaOne @vault -WriteToSecretVault -Instance %s -ClientId %s -ClientSecret %s -UseTokenAuth -RefreshToken %s
		Connect-NinjaOne @vault -ReadFromSecretVault
		Import-Module %s/NinjaOneAuth
		& (Get-Module NinjaOne) { $Script:NRAPIAuthenticationInformation.Expires = Get-Date }
		$token = Get-NinjaOneToken
		$null = Invoke-RestMethod "$($token.Url)/v2/organizations" -Authentication Bearer -Token $token.Token
		$null = Invoke-RestMethod "$($token.Url)/v2/organizations" -Headers (Get-NinjaOneToken -AsHeader)
		Disconnect-NinjaOne -VaultName Log
		'connected'`, folder, app.Instance, app.ClientID, app.ClientSecret, m.service.IssueRefreshToken(app.ClientID), commands))
	m.env = []string{"NINJAONE_AUTH_PATH=" + binary, "SECRETMANAGEMENT_STANDIN_HOME=" + folder + "/register"}
	logged := startSystemLog(t)
	command := exec.Command(pwsh, "-SettingsFile", folder+"/config.json", "-NoProfile", "-NonInteractive", "-File", folder+"/script.ps1")
	command.Env = m.environment()
	output, err := command.CombinedOutput()
	if strings.TrimSpace(string(output)) == "no SecretManagement" {
		need.Missing(t, "SecretManagement", "Install-Module Microsoft.PowerShell.SecretManagement")
	}
	if err != nil || strings.TrimSpace(string(output)) != "connected" {
		t.Fatalf("%v: %s", err, output)
	}
	log := logged(command.Process.Pid)
	contains(t, "the log", log, `ParameterBinding(Connect-NinjaOne): name="VaultName"; value="Log"`, "CommandInvocation(Send-Line)",
		`ParameterBinding(Invoke-RestMethod): name="Token"`, `ParameterBinding(Disconnect-NinjaOne): name="VaultName"`)
	for line := range strings.Lines(log) {
		if strings.Contains(line, "[ScriptBlock_Compile_Detail:") {
			t.Errorf("PowerShell takes a script for suspicious: %s", line)
		}
		for _, secret := range m.service.Secrets() {
			if !strings.HasPrefix(line, "ParameterBinding(Connect-NinjaOne)") && strings.Contains(line, secret) {
				t.Errorf("the log holds a secret: %s", line)
			}
		}
	}
}
