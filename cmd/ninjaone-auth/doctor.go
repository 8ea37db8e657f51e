package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/fatih/color"

	"ninjaone-auth/pkg/doctor"
)

type doctorCommand struct {
	Instance []string `enum:"${instances}" placeholder:"NAME" help:"An instance to try, instead of those of the sessions: ${instances}."`
	Port     int      `default:"9090" placeholder:"PORT" help:"The port to which a browser comes back (default: 9090)."`
	JSON     bool     `name:"json" help:"Print an array of objects as JSON."`
}

// Examples are for the help.
func (doctorCommand) Examples() string {
	return `ninjaone-auth doctor
# Whether this machine reaches an instance before anybody has signed in
ninjaone-auth doctor --instance eu`
}

var statusColours = map[doctor.Status]*color.Color{
	doctor.OK: color.New(color.FgGreen), doctor.Warning: color.New(color.FgYellow), doctor.Failure: color.New(color.FgRed, color.Bold),
}

// Run examines the machine. A failure is the exit status 1.
func (d doctorCommand) Run(ctx context.Context, std standard, status *exitStatus) error {
	found := doctor.Machine{Version: version, Environment: std.environment, Instances: d.Instance, Port: d.Port, Told: inFlags}.Examine(ctx)
	for _, f := range found {
		if f.Status == doctor.Failure {
			*status = exitFailed
		}
	}
	if d.JSON {
		return printJSON(std, found)
	}
	for _, f := range found {
		word := strings.ToUpper(string(f.Status[:1])) + string(f.Status[1:])
		if f.Status == doctor.OK {
			word = "OK"
		}
		if _, err := fmt.Fprintf(std.out, "%s  %-11s  %s\n", statusColours[f.Status].Sprintf("%-7s", word), f.Check, f.Found); err != nil {
			return err
		}
		if f.Advice != "" {
			fmt.Fprintf(std.out, "%22s  %s\n", "", f.Advice)
		}
	}
	return nil
}
