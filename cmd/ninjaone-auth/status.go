package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/install"
	"ninjaone-auth/pkg/keyring"
	"ninjaone-auth/pkg/report"
)

type statusCommand struct{ chosenModules }

// Run shows the sessions in the keyring, the modules, and what they have of ninjaone-auth. What can't be read is shown as a problem,
// and no failure.
func (s statusCommand) Run(ctx context.Context, std standard) error {
	modules, problems := install.Find(s.Module)
	for _, m := range modules {
		if problem := m.Check(); problem != nil {
			problems = append(problems, problem)
		}
	}
	sessions, err := listSessions(ctx, report.Silent{})
	if err != nil && !needsNoKeyring(err) {
		problems = append(problems, inFlags(err))
	}
	if s.JSON {
		return printJSON(std, map[string]any{
			"modules": append([]install.Module{}, modules...), "sessions": sessions, "problems": shownProblems(problems),
		})
	}
	if len(sessions) > 0 {
		if err := printSessions(std, sessions); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(std.out, "No session: sign in with 'ninjaone-auth login'.")
	}
	if len(modules)+len(problems) == 0 {
		problems = append(problems, install.NotFound(s.Module))
	}
	if err := printModules(std, modules); err != nil {
		return err
	}
	for _, problem := range problems {
		fmt.Fprintf(std.out, "\n%s\n%s\n", problem.Message, problem.Recommendation)
	}
	return nil
}

// needsNoKeyring tells of a failure that nobody has chosen the keyring that is missing: there are no sessions then.
func needsNoKeyring(err error) bool {
	return failure.Is(err, failure.VaultUnavailable) && os.Getenv(keyring.BackendVariable) == ""
}

func printModules(std standard, modules []install.Module) error {
	if len(modules) == 0 {
		return nil
	}
	var rows [][]string
	for _, m := range modules {
		release := cmp.Or(m.Release, "no")
		switch {
		case m.Updated:
			release = "no: the module has been updated, run 'ninjaone-auth install'"
		case !m.Installed && m.Release != "":
			release += ", incomplete"
		case m.Installed && m.Release != version:
			release += fmt.Sprintf("; 'ninjaone-auth install' brings %s", version)
		}
		rows = append(rows, []string{shown(m.Path), shown(m.Version), release})
	}
	fmt.Fprintln(std.out)
	return printTable(std, []string{"MODULE", "VERSION", "NINJAONE-AUTH"}, rows)
}
