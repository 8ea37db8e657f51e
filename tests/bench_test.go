package tests

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ninjaone-auth/tests/need"
	"ninjaone-auth/tests/standin"
)

const repetitions = 40

// BenchmarkConnect sets the whole process of a client-credentials connect against curl's for the same token request, turn by
// turn, as the median of the pairs: with all certificates of the system to read, as nearly everybody has it, and with a
// short SSL_CERT_FILE, beside which Go still reads the system's folder.
func BenchmarkConnect(b *testing.B) {
	curl := need.Command(b, "curl", "apt-get install curl")
	for name, prepare := range map[string]func(*machine){"SystemRoots": (*machine).useSystemRoots, "ShortFile": func(*machine) {}} {
		b.Run(name, func(b *testing.B) {
			m := newMachine(b)
			prepare(m)
			app := m.app(standin.Demo())
			line, err := json.Marshal(request{Parameters: of(app, parameters{"UseClientAuth": true})})
			if err != nil {
				b.Fatal(err)
			}
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {app.ClientSecret},
				"scope": {"monitoring management control"}}.Encode()
			for b.Loop() {
				var ours, theirs []time.Duration
				for range repetitions {
					connect := m.command("connect")
					connect.Stdin = strings.NewReader(string(line) + "\n")
					ours = append(ours, timed(b, connect))
					request := exec.Command(curl, "--silent", "--fail", "--data", "@-", "https://eu.ninjarmm.com/ws/oauth/token")
					request.Env, request.Stdin = m.environment(), strings.NewReader(form)
					theirs = append(theirs, timed(b, request))
				}
				b.ReportMetric(ratio(ours, theirs), "times-curl")
				b.ReportMetric(m.peak(b, string(line)), "MiB-peak")
			}
		})
	}
}

// useSystemRoots puts the stand-in's certificate beside those of the system: to read them from SSL_CERT_FILE is the same
// work as to read them from the system's own file.
func (m *machine) useSystemRoots() {
	m.t.Helper()
	const system = "/etc/ssl/certs/ca-certificates.crt"
	all, err := os.ReadFile(system)
	if err != nil {
		need.Missing(m.t, system, "apt-get install ca-certificates")
	}
	own, err := os.ReadFile(m.service.CertFile())
	if err != nil {
		m.t.Fatal(err)
	}
	bundle := m.t.TempDir() + "/bundle.pem"
	if err := os.WriteFile(bundle, append(all, own...), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.env = append(m.env, "SSL_CERT_FILE="+bundle, "CURL_CA_BUNDLE="+bundle)
}

// peak is a connect's resident memory at its peak in MiB. GNU time is in between, as a process's peak counts that of the
// process that started it.
func (m *machine) peak(b *testing.B, line string) float64 {
	b.Helper()
	command := exec.Command(need.Command(b, "time", "apt-get install time"), "--format=%M", binary, "connect")
	command.Env, command.Stdin = m.environment(), strings.NewReader(line+"\n")
	var told strings.Builder
	command.Stderr = &told
	if err := command.Run(); err != nil {
		b.Fatalf("%v: %s", err, told.String())
	}
	kibibytes, err := strconv.ParseFloat(strings.TrimSpace(told.String()), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kibibytes / 1024
}

func timed(b *testing.B, command *exec.Cmd) time.Duration {
	b.Helper()
	started := time.Now()
	if output, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	return time.Since(started)
}

// ratio is the median of the ratios of pairs that ran next to each other.
func ratio(ours, theirs []time.Duration) float64 {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = float64(ours[i]) / float64(theirs[i])
	}
	return median(ratios)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkFirstConnectInPwsh sets the first Connect-NinjaOne of a new pwsh, and the binding of its parameters alone, against
// the bare start of the same pwsh. Wrapper and program lie side by side, as they are installed.
func BenchmarkFirstConnectInPwsh(b *testing.B) {
	pwsh := need.Command(b, "pwsh", "install PowerShell 7")
	m := newMachine(b)
	app := m.app(standin.Demo())
	wrapper := read(b, "../powershell/Connect-NinjaOne.ps1")
	bare, _, found := strings.Cut(wrapper, "\n    end {\n")
	if !found {
		b.Fatal("the wrapper has no end block")
	}
	folder := b.TempDir()
	write(b, folder+"/bound.ps1", bare+"\n    end { }\n}\n")
	write(b, folder+"/Connect-NinjaOne.ps1", wrapper)
	if err := os.Link(binary, folder+"/ninjaone-auth"); err != nil {
		b.Fatal(err)
	}
	connect := fmt.Sprintf("Connect-NinjaOne -Instance %s -ClientId %s -ClientSecret %s -UseClientAuth", app.Instance, app.ClientID, app.ClientSecret)
	run := func(script string) *exec.Cmd {
		command := exec.Command(pwsh, "-NoProfile", "-NonInteractive", "-Command", script)
		command.Env = m.environment()
		return command
	}
	milliseconds := func(file string) float64 {
		output, err := run(fmt.Sprintf(`. '%s'; $watch = [Diagnostics.Stopwatch]::StartNew()
			%s; "$($watch.Elapsed.TotalMilliseconds)"`, file, connect)).Output()
		value, parseErr := strconv.ParseFloat(strings.TrimSpace(string(output)), 64)
		if err != nil || parseErr != nil {
			b.Fatalf("%v, %v: %s", err, parseErr, output)
		}
		return value
	}
	for b.Loop() {
		var starts, bound, whole []float64
		for range 9 {
			starts = append(starts, float64(timed(b, run("exit")))/1e6)
			bound = append(bound, milliseconds(folder+"/bound.ps1"))
			whole = append(whole, milliseconds(folder+"/Connect-NinjaOne.ps1"))
		}
		start := median(starts)
		b.ReportMetric(start, "ms-pwsh-start")
		b.ReportMetric(median(bound)/start, "times-that-to-bind")
		b.ReportMetric(median(whole)/start, "times-that-in-all")
	}
}

// BenchmarkBinary tells the size of the stripped binary.
func BenchmarkBinary(b *testing.B) {
	stripped := b.TempDir() + "/ninjaone-auth"
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", stripped, "ninjaone-auth/cmd/ninjaone-auth")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	for b.Loop() {
		info, err := os.Stat(stripped)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
}
