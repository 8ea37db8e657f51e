package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

type manCommand struct{}

// Run prints the man page (man(7)), which is made of what the help is made of.
func (manCommand) Run(command *kong.Context, std standard) error {
	var page strings.Builder
	fmt.Fprintf(&page, ".TH NINJAONE-AUTH 1 %s\n.SH NAME\n%s\n.SH SYNOPSIS\n%s\n.SH DESCRIPTION\n%s\n", built().Format(time.DateOnly),
		roff("ninjaone-auth - sign in to NinjaOne"), bold("ninjaone-auth")+roff(" command [flags]"), roff(description))
	for _, group := range groups {
		for _, node := range command.Model.Leaves(true) {
			if node.ClosestGroup().Key == group.Key {
				describe(&page, node)
			}
		}
	}
	fmt.Fprintf(&page, ".SH EXIT STATUS\n%s\n.SH ENVIRONMENT\n%s\n.SH EXAMPLES\n%s", roff(exitStatuses), roff(environmentHelp), verbatim((commandLine{}).Examples()))
	_, err := fmt.Fprint(std.out, page.String())
	return err
}

// describe writes a section about a command.
func describe(page *strings.Builder, node *kong.Node) {
	fmt.Fprintf(page, ".SH %s\n%s\n.PP\n%s\n", strings.ToUpper(roff(node.Path())), bold("ninjaone-auth "+node.Summary()), roff(node.Help))
	for _, argument := range node.Positional {
		fmt.Fprintf(page, ".TP\n%s\n%s\n", bold(argument.Summary()), roff(argument.Help))
	}
	for _, flag := range node.Flags {
		name := flag.String()
		if flag.IsBool() {
			name = "--" + flag.Name
		}
		fmt.Fprintf(page, ".TP\n%s\n%s\n", bold(name), roff(flag.Help))
	}
	if examples := examplesOf(node); examples != "" {
		page.WriteString(".PP\n" + verbatim(examples))
	}
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, ".", `\&.`)

// roff escapes a text. A plain - would be a hyphen, which nobody could copy, and a . or ' that begins a line a request.
func roff(text string) string { return roffEscapes.Replace(text) }

func bold(text string) string { return `\fB` + roff(text) + `\fP` }

func verbatim(lines string) string { return ".nf\n" + roff(lines) + "\n.fi\n" }

// built is the page's date: $SOURCE_DATE_EPOCH (reproducible-builds.org), so that a release can be made again, or today.
func built() time.Time {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Now()
}
