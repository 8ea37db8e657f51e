// Command standin runs the stand-in NinjaOne of tests/standin for Pester, the demo and benchmarks.
//
//	standin [--demo] [--auto-consent]
//	standin [flags] -- command [argument …]
//
// Without a command it prints one JSON line, {"proxy", "certFile", "control"}, and serves until its stdin closes or it
// gets SIGINT or SIGTERM. With a command it runs that, with HTTPS_PROXY and SSL_CERT_FILE in its environment, and ends with it
// and its exit status; it prints nothing itself.
//
// At the address "control" is the API of [standin.Service.Control].
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"ninjaone-auth/tests/standin"
)

const usage = `standin runs a stand-in NinjaOne.

  standin [flags]                     prints {"proxy", "certFile", "control"} and serves until stdin closes
  standin [flags] -- command [...]    runs the command with HTTPS_PROXY and SSL_CERT_FILE set

The control API (go doc ninjaone-auth/tests/standin Service.Control lists it) is at the address "control".

Flags:
`

func main() {
	flags := flag.NewFlagSet("standin", flag.ExitOnError)
	demo := flags.Bool("demo", false, "register the application of the help page's examples")
	autoConsent := flags.Bool("auto-consent", false, "the demo's user allows at once, without a consent page")
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flags.PrintDefaults()
	}
	_ = flags.Parse(os.Args[1:])

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *demo, *autoConsent, flags.Args())
	stop()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, demo, autoConsent bool, command []string) error {
	dir, err := os.MkdirTemp("", "standin-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	service, err := standin.Start(dir)
	if err != nil {
		return err
	}
	defer service.Close()
	if demo {
		app := standin.Demo()
		app.AutoConsent = autoConsent
		if _, err := service.Register(app); err != nil {
			return err
		}
	}
	if len(command) > 0 {
		return runCommand(ctx, command, service.Env())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control := &http.Server{Handler: service.Control(), ReadHeaderTimeout: 10 * time.Second}
	defer func() { _ = control.Close() }()
	go func() { _ = control.Serve(listener) }()
	err = json.NewEncoder(os.Stdout).Encode(map[string]string{
		"proxy": service.ProxyURL(), "certFile": service.CertFile(), "control": "http://" + listener.Addr().String(),
	})
	if err != nil {
		return err
	}
	waitForEnd(ctx)
	return nil
}

func runCommand(ctx context.Context, command, environment []string) error {
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Env = append(os.Environ(), environment...)
	child.Cancel = func() error { return child.Process.Signal(syscall.SIGTERM) }
	child.WaitDelay = 5 * time.Second
	return child.Run()
}

func waitForEnd(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
}
