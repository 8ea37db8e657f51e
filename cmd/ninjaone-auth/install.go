package main

import (
	"fmt"
	"os"
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/install"
)

// chosenModules are those that a command is about.
type chosenModules struct {
	Module string `predictor:"path" placeholder:"PATH" help:"The folder of the NinjaOne module, or a file in it (default: all that PowerShell finds)."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

type installCommand struct {
	chosenModules
	DryRun bool `help:"Say what would be done, and do nothing."`
}

// Run puts this program into the modules.
func (i installCommand) Run(std standard, status *exitStatus) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	request := install.Request{Release: version, Program: program, DryRun: i.DryRun}
	changed, err := i.change(std, status, func(m install.Module) (string, bool, *failure.Error) {
		changed, problem := m.Install(request)
		told := "ninjaone-auth " + version
		if m.Release != "" && m.Release != version {
			told += " in place of " + m.Release
		}
		return told + outcome(changed, i.DryRun, " installed", " was installed already"), changed, problem
	})
	if changed && !i.DryRun && !i.JSON {
		_, err = fmt.Fprintln(std.out, "In a PowerShell that has loaded the module already: Import-Module NinjaOne -Force")
	}
	return err
}

type uninstallCommand struct {
	chosenModules
	DryRun bool `help:"Say what would be done, and do nothing."`
}

// Run takes ninjaone-auth out of the modules.
func (u uninstallCommand) Run(std standard, status *exitStatus) error {
	_, err := u.change(std, status, func(m install.Module) (string, bool, *failure.Error) {
		changed, problem := m.Uninstall(install.Request{DryRun: u.DryRun})
		told := strings.TrimSpace("ninjaone-auth " + m.Release)
		return told + outcome(changed, u.DryRun, " removed", " was not installed"), changed, problem
	})
	return err
}

func outcome(changed, dryRun bool, done, nothing string) string {
	switch {
	case !changed:
		return nothing
	case dryRun:
		return " would be" + done
	}
	return done
}

// changedModule is what a command has done to a module.
type changedModule struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Changed bool   `json:"changed"`
	// Before is the release of ninjaone-auth that was in it.
	Before string `json:"before"`
}

// change does something to one module after the other, and tells what came of it and whether that was anything. One that is
// refused does not keep it from the others.
func (c chosenModules) change(std standard, status *exitStatus, do func(install.Module) (told string, changed bool, problem *failure.Error)) (anything bool, err error) {
	modules, problems := install.Find(c.Module)
	if len(modules)+len(problems) == 0 {
		problems = append(problems, install.NotFound(c.Module))
	}
	all := []changedModule{}
	for _, m := range modules {
		told, changed, problem := do(m)
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		anything = anything || changed
		all = append(all, changedModule{m.Path, m.Version, changed, m.Release})
		if !c.JSON {
			_, err = fmt.Fprintf(std.out, "%s: %s\n", m.Path, told)
		}
	}
	if len(problems) > 0 {
		*status = exitFailed
	}
	if c.JSON {
		return anything, printJSON(std, map[string]any{"modules": all, "problems": shownProblems(problems)})
	}
	for _, problem := range problems {
		fmt.Fprint(std.err, told(problem))
	}
	return anything, err
}

type shownProblem struct {
	ID             string `json:"id"`
	Message        string `json:"message"`
	Recommendation string `json:"recommendation"`
	Target         string `json:"target"`
}

func shownProblems(problems []*failure.Error) []shownProblem {
	shown := []shownProblem{}
	for _, p := range problems {
		shown = append(shown, shownProblem{p.ID.String(), p.Message, p.Recommendation, p.Target})
	}
	return shown
}
